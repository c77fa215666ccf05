/** Refusals around runs and runs without a board: rows of the table in errors.ts. */
export const runErrors = {
  'unknown-run': {
    status: 404,
    text: 'There is no run #{id}.',
    next: '`GET /runs` lists those that you may see.',
  },
  'run-mode': {
    status: 400,
    text: 'A run without a board cannot be in mode `{mode}`.',
    next: 'It ranks nothing: use {modes}.',
  },
  'run-extension': {
    status: 415,
    text: '`{file}` does not end in {allowed}.',
    next: 'Rename the file, or name the problem that it was written for.',
  },
  'run-gpu': {
    status: 400,
    text: 'No box serves the GPU type `{gpu}`.',
    next: 'Boxes serve: {gpus}.',
  },
  'run-where': {
    status: 400,
    text: 'Neither a box nor a GPU type was named.',
    next: 'Name one: boxes serve {gpus}.',
  },
  'box-gpu-unserved': {
    status: 400,
    text: 'The box `{box}` does not serve `{gpu}`.',
    next: 'It serves: {gpus}.',
  },
  'box-without-models': {
    status: 400,
    text: 'The box `{box}` serves no models: it runs submissions in {engine}.',
    next: 'Name a box whose sandbox is bubblewrap, or a GPU type alone.',
  },
  'no-boxes': {
    status: 409,
    text: 'No box is registered.',
    next: 'Add one with `/admin box add`.',
  },
  'no-known-good': {
    status: 404,
    text: 'There is no file at hand that is known to pass `{leaderboard}`.',
    next: 'Put one into the folder of the problem as `solutions/NAME.py` or `submission.py`; without a problem, each box gets what fits it.',
  },
  'not-a-judge': {
    status: 403,
    text: 'Judges give scores, and your account does not have their role.',
    next: 'An organiser gives the role on Discord; here it counts within a minute.',
  },
} as const;
