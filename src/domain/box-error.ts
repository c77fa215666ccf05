/** Why a box could not do its work. The retry table (scheduler/retry.ts) says what happens then. */
export const boxErrorKinds = [
  'unreachable',
  'auth-refused',
  'host-key-changed',
  'channel-lost',
  'no-python',
  'disk-full',
  'sandbox-failed',
  'tool-missing',
  'runner-crashed',
  'protocol-error',
  'unknown-job',
  'cluster-away',
  'cluster-refused',
] as const;
export type BoxErrorKind = (typeof boxErrorKinds)[number];

/** Our failure, not the participant's. `message` is for operators: it may name hosts and paths. */
export class BoxError extends Error {
  readonly kind: BoxErrorKind;

  constructor(kind: BoxErrorKind, message: string, options?: { cause?: unknown }) {
    // It is stored, and PostgreSQL stores neither NUL characters nor lone surrogates.
    super(message.replaceAll('\u0000', '\ufffd').toWellFormed(), options);
    this.name = 'BoxError';
    this.kind = kind;
  }
}

/** Both sentences of a BoxError in words for an organiser: what happened, and the usual remedy. */
export const boxErrorRemedies: Record<BoxErrorKind, string> = {
  unreachable:
    'Check that the host is up, that its SSH port is open to this machine, and the host name and port.',
  'auth-refused': 'Add Hotlap’s public key to `~/.ssh/authorized_keys` of that user on the box.',
  'host-key-changed':
    'If the machine was reinstalled, remove the box and add it again to confirm the new key; if not, somebody may stand between.',
  'channel-lost': 'The connection broke; Hotlap connects again by itself.',
  'no-python': 'Install Python 3.9 or newer on the box (`python3` on the PATH).',
  'disk-full': 'Free some disk space on the box.',
  'sandbox-failed': 'Run `bwrap --version` on the box; install or repair bubblewrap.',
  'tool-missing':
    'Install on the box what the message names, or take the GPU type off the leaderboard of that problem.',
  'runner-crashed': 'Look at the job folder on the box; the machine may have run out of memory or rebooted.',
  'protocol-error': 'The box answered what Hotlap does not understand; its login shell may print text.',
  'unknown-job': 'The job folder on the box is gone; the job is started again.',
  'cluster-away':
    'See what squeue and scontrol ping say on the login node, and try again when the cluster has come round.',
  'cluster-refused':
    'Partition, account, QoS, GPU or further options do not fit the cluster. Try them there with sbatch, and add the box with what works.',
};
