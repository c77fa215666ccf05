/** Refusals that organisers meet who add and look after boxes: rows of the table in errors.ts. */
export const boxErrors = {
  'box-exists': {
    status: 409,
    text: 'A box named `{box}` exists already.',
    next: 'Pick another name, or remove it first with `/admin box remove`.',
  },
  'box-name': {
    status: 400,
    text: '`{box}` is not a usable name for a box.',
    next: 'Use 1 to 40 letters, digits, `.`, `_` or `-`.',
  },
  'box-not-stopped': {
    status: 409,
    text: '`{box}` is {state}: it is neither drained nor in quarantine.',
    next: '`/admin box doctor` looks it over and says whether anything needs to be done.',
  },
  'box-gpu': {
    status: 400,
    text: '`{gpu}` is not a usable GPU type.',
    next: 'Use 1 to 32 letters, digits, `-`, `_` or `.`, as leaderboards name it: `H100`, `MI300x8`. Left out, it comes from what is found there.',
  },
  'box-container': {
    status: 400,
    text: '`{container}` names no container that submissions could be locked into.',
    next: 'Write the engine, a colon and an image that the box has: `docker:pytorch/pytorch:2.9.1-cuda12.8-cudnn9-devel`. Left out, bubblewrap is the sandbox.',
  },
  'box-slots': {
    status: 400,
    text: '{slots} slots were asked for, and there are {gpus} GPUs: each lane times on a GPU of its own.',
    next: 'Leave `slots` out for one lane per GPU, or name fewer.',
  },
  'box-without-sandbox': {
    status: 409,
    text: 'The box at `{address}` offers no sandbox: {problem}',
    next: 'Run `deploy/box/install.sh` there and add it again. With `unsafe` it is used as it is: submitted code can then do whatever that user can, and every result says so.',
  },
  'cluster-options': {
    status: 400,
    text: 'The cluster’s options cannot be used: {problem}',
    next: '`partition`, `account`, `qos` and `gres` (`gpu:h100`) are as for `sbatch`; `sbatch` takes further ones, `--constraint=a100 --mem=64G`.',
  },
  'cluster-gpu-types': {
    status: 409,
    text: 'Jobs would get any GPU of the partition, and it has several types: {types}.',
    next: 'One box is one GPU type: name it as `gres: gpu:{first}`, and add a box for each of the others.',
  },
  'box-refused': {
    status: 502,
    text: 'The box at `{address}` could not be used: {problem}',
    next: '{remedy}',
  },
} as const;
