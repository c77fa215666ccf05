/**
 * The wire between Hotlap and a box: the zod half. The Python half is deploy/box/runner/protocol.py.
 *
 * How it works. On a box lives one root folder (default `~/.hotlap`):
 *
 *   runner/<sha256>.zip            the runner, a Python zip archive, uploaded once per version
 *   <instance>/jobs/<job key>/     one folder per job: job.json, events.jsonl, result.json, supervisor.pid
 *
 * `<instance>` names one Hotlap installation, so that two of them can share a box. `<job key>` is
 * `<job id>.<attempt>`: the same key always means the same run.
 *
 * `python3 <runner>.zip agent --root <root> --instance <instance>` is held open on one channel per connection. It
 * speaks JSON lines: a first line `hello`, then one or more reply lines for each request line. When its standard
 * input ends, the agent ends; the supervisors that it started do not, because each is its own session.
 *
 *   -> {"id":1,"op":"start","job":{...},"seed":123}       <- {"id":1,"ok":true,"value":{"attached":false}}
 *   -> {"id":2,"op":"follow","job_key":"7.1","from":0}    <- {"id":2,"event":{"n":0,...}} (any number)
 *                                                         <- {"id":2,"ok":true,"value":{"result":{...}}}
 *   -> {"id":3,"op":"follow","job_key":"9.1","from":0}    <- {"id":3,"ok":false,"error":{"kind":"unknown-job",...}}
 *
 * Requests run concurrently; replies carry the request's id. The same verbs exist on the command line for people
 * (`python3 <runner>.zip start|follow|cancel|probe|sweep`).
 *
 * `start` is idempotent: a job folder that exists is attached to, not started again. The secret seed is an argument
 * of `start` beside the job, not inside it: it stays in the supervisor's memory and is never written to the box.
 *
 * On a cluster the agent runs on a login node (`--launch slurm --launch-options <JSON>`) and speaks the same. Its jobs
 * run on compute nodes that share its root folder; there the seed waits in a file for its supervisor (docs/security.md).
 */
import { z } from 'zod';
import { servingReport, servingSpec, servingStates } from './serving-protocol.ts';

export const PROTOCOL_VERSION = 1;

/** One evaluation process: one mode, one fresh directory, one sandbox. */
const stageSpec = z.object({
  /** Unique in the job: `test`, `benchmark`, `leaderboard`, `profile.0` ... */
  name: z.string(),
  /** The first argument of the evaluation program. */
  mode: z.enum(['test', 'benchmark', 'leaderboard', 'profile']),
  timeout_s: z.number().positive(),
  /** The exact bytes of the case file (problem-format: one `key: value; ...` line per case). */
  cases: z.string(),
});

export const container = z.object({
  engine: z.enum(['docker', 'podman']),
  image: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$/),
});

/**
 * `required`: bubblewrap, and a box on which it does not work fails the job; `auto`: such a box does without a sandbox.
 * An engine and an image that the box has: a container of it, or the job fails.
 */
const sandboxWish = z.union([z.enum(['required', 'auto', 'off']), container]);
export type SandboxWish = z.infer<typeof sandboxWish>;

export const jobSpec = z.object({
  protocol: z.literal(PROTOCOL_VERSION),
  /** `<job id>.<attempt>` */
  job_key: z.string().regex(/^[A-Za-z0-9_.-]{1,80}$/),
  lang: z.enum(['py', 'cu', 'model']),
  /** Relative path -> text. The submission is already in it under its task name. */
  files: z.record(z.string(), z.string()),
  /** Which of `files` is run as `python3 <main> <mode> <case file>`; with lang `cu` what `build` makes. */
  main: z.string(),
  /** With lang `cu`: made by nvcc before the first stage, and run as `<main> <mode> <case file>`. */
  build: z
    .object({
      sources: z.array(z.string()).min(1),
      /** Of the work folder, or absolute ones of the box. */
      include_dirs: z.array(z.string()),
      /** Macro -> value; null: a name alone. */
      defines: z.record(z.string(), z.string().nullable()),
      flags: z.array(z.string()),
      libraries: z.array(z.string()),
      /** `90a` is compute_90a and sm_90a; null: of the GPU that is there. */
      arch: z.string().nullable(),
      timeout_s: z.number().positive(),
    })
    .optional(),
  /** Run before the first stage as `python3 <file>` to fill compile caches; its outcome never decides anything. */
  warmup: z.object({ file: z.string(), timeout_s: z.number().positive() }).nullable(),
  /** In order; the first stage that does not pass ends the job. */
  stages: z.array(stageSpec).min(1),
  /** Added to the allow-listed environment (CUDA_VISIBLE_DEVICES and the like). Never anything secret. */
  env: z.record(z.string(), z.string()),
  /** The GPUs that it may use, by the numbers of the probe; absent: all that there are. */
  gpus: z.array(z.number().int().nonnegative()).optional(),
  /** Cores and memory are shared out among so many lanes of the box; absent: it has the machine to itself. */
  lane: z.object({ slot: z.number().int().nonnegative(), of: z.number().int().positive() }).optional(),
  /** POPCORN_GPUS is set to this when not null. */
  world_size: z.number().int().positive().nullable(),
  sandbox: sandboxWish,
  /** For each stage as a whole; absent: what the machine can spare. */
  limits: z
    .object({
      memory_mib: z.number().int().positive().optional(),
      /** Threads count as processes. */
      processes: z.number().int().positive().optional(),
    })
    .optional(),
  /** With lang `model`, which has neither files nor a main program. */
  serving: servingSpec.optional(),
});
export type JobSpec = z.infer<typeof jobSpec>;
export type StageSpec = z.infer<typeof stageSpec>;

const event = z.object({ n: z.number().int().nonnegative(), at: z.string() });
export const jobEvent = z.discriminatedUnion('type', [
  event.extend({ type: z.literal('started'), pid: z.number().int(), sandbox: z.string() }),
  event.extend({
    type: z.literal('stage'),
    stage: z.string(),
    state: z.enum(['building', 'warmup', ...servingStates, 'finished']),
    /** Only with `finished`. */
    passed: z.boolean().optional(),
  }),
  /**
   * From a cluster, before the job runs: why it waits, in Slurm's word (`Priority`, `Resources`; empty while it has none).
   * It is told and not stored: its `n` is that of the first event to come.
   */
  event.extend({ type: z.literal('waiting'), reason: z.string() }),
  /** One case of the stage is done. `of` is 0 while unknown. */
  event.extend({
    type: z.literal('progress'),
    stage: z.string(),
    done: z.number().int(),
    of: z.number().int(),
  }),
  /** result.json is in place; nothing follows. */
  event.extend({ type: z.literal('finished'), outcome: z.enum(['finished', 'cancelled', 'box-error']) }),
]);
export type JobEvent = z.infer<typeof jobEvent>;

const processReport = z.object({
  exit_code: z.number().int().nullable(),
  /** Set when a signal ended the process. */
  signal: z.number().int().nullable(),
  timed_out: z.boolean(),
  duration_ms: z.number(),
  /** Cut to 16,384 characters, the tail kept. */
  stdout: z.string(),
  stderr: z.string(),
});

export const stageReport = processReport.extend({
  name: z.string(),
  mode: z.string(),
  started_at: z.string(),
  finished_at: z.string(),
  timeout_s: z.number(),
  /** Of the first stage alone, like `build`. */
  warmup: processReport.nullable(),
  /** How nvcc ended; where it did not end with 0, nothing of the stage was run. Absent with lang `py`. */
  build: processReport.extend({ command: z.string() }).nullable().optional(),
  /** Of profile mode. */
  profile: z
    .object({
      /** `ncu` or `rocprofv3`; empty where the evaluation program profiled by its own means. */
      profiler: z.string(),
      /** Why the machine's own profiler was not used after all, in words. */
      problem: z.string().nullable(),
      /** A zip archive, which the verb `trace` hands out; null: nothing was recorded. */
      trace: z
        .object({ bytes: z.number().int().positive(), sha256: z.string().regex(/^[0-9a-f]{64}$/) })
        .nullable(),
    })
    .nullable()
    .optional(),
  /** A worker of the evaluation died (segfault, kill, os._exit) and the stage was ended for it. */
  worker_died: z.boolean(),
  /** More than the cap arrived on the result pipe and the stage was ended for it. */
  overflow: z.boolean(),
  /** Every well-formed line of the result pipe, in order, duplicates included; kept on a timeout too. */
  lines: z.array(z.tuple([z.string(), z.string()])),
  /** What arrived on the pipe that was no `key: value` line. */
  malformed_lines: z.number().int(),
  /** Limits of the stage as a whole that were hit; only a box with control groups can tell. */
  exceeded: z.array(z.enum(['memory', 'processes'])).optional(),
  /** With lang `model`. */
  serving: servingReport.nullable().optional(),
});
export type StageReport = z.infer<typeof stageReport>;

export const systemInfo = z.object({
  gpu: z.string(),
  device_count: z.number().int(),
  cpu: z.string(),
  runtime: z.string(),
  platform: z.string(),
  torch: z.string(),
  hostname: z.string(),
});
export type SystemInfo = z.infer<typeof systemInfo>;

/** Why the box itself could not do the job. Retried elsewhere or later; never the participant's fault. */
export const boxErrorKind = z.enum([
  'disk-full',
  'sandbox-failed',
  /** The machine lacks what the problem needs. */
  'tool-missing',
  'runner-crashed',
  'protocol-error',
  'unknown-job',
  'cluster-away',
  'cluster-refused',
]);

/** Whether memory and processes are bounded for a stage as a whole, or only for each of its processes. */
export const limitsKind = z.enum(['cgroup-v2', 'cgroup-v1', 'rlimits']);

export const jobResult = z.object({
  protocol: z.literal(PROTOCOL_VERSION),
  job_key: z.string(),
  outcome: z.enum(['finished', 'cancelled', 'box-error']),
  error: z.object({ kind: boxErrorKind, message: z.string() }).nullable(),
  stages: z.array(stageReport),
  system: systemInfo,
  /** `bwrap`, `docker`, `podman`, or `none` where the box offers no sandbox or the job asked for none. */
  sandbox: z.string(),
  limits: limitsKind.optional(),
  /** System calls that no honest submission needs are refused. */
  syscall_filter: z.boolean().optional(),
});
export type JobResult = z.infer<typeof jobResult>;

/** What the canary program measured: the best of many repetitions each, so that noise of a moment does not count. */
export const canary = z.object({
  cpu_ns: z.number().positive(),
  gpus: z.array(
    z.object({ index: z.number().int(), matmul_ns: z.number().positive(), copy_ns: z.number().positive() }),
  ),
});
export type Canary = z.infer<typeof canary>;

export const probeReport = z.object({
  hostname: z.string(),
  platform: z.string(),
  cpu: z.string(),
  cpu_count: z.number().int(),
  memory_mib: z.number().int(),
  python: z.string(),
  /** The interpreter that jobs are run with. */
  python_path: z.string(),
  gpus: z.array(
    z.object({
      index: z.number().int(),
      /** As the driver names it: `NVIDIA H100 80GB HBM3`. */
      model: z.string(),
      memory_mib: z.number().int(),
      driver: z.string(),
      /** In use when the probe looked. */
      memory_used_mib: z.number().int().optional(),
    }),
  ),
  torch: z.string().nullable(),
  /** What torch computes with: `CUDA 12.8`, `ROCm 6.4`; empty without either. */
  runtime: z.string().optional(),
  nvcc: z.string().nullable(),
  profiler: z.string().nullable(),
  /** `bwrap`, `docker` or `podman` when a trial run of it worked, else `none`. */
  sandbox: z.string(),
  /** Why there is none, in words. */
  sandbox_problem: z.string().nullable(),
  limits: limitsKind.optional(),
  /** Why they are no control group's, in words. */
  limits_problem: z.string().nullable().optional(),
  syscall_filter: z.boolean().optional(),
  disk_free_mib: z.number().int(),
  clock_utc: z.string(),
  /** Of a cluster; the rest is then what one of its compute nodes says of itself. */
  slurm: z
    .object({
      partitions: z.array(z.object({ name: z.string(), nodes: z.number().int(), gres: z.string() })),
      /** That jobs can get, as Slurm calls them: `h100`. */
      gpu_types: z.array(z.string()),
    })
    .optional(),
});
export type ProbeReport = z.infer<typeof probeReport>;

/** How the GPUs are at this moment. */
export const gpuHealth = z.object({
  index: z.number().int(),
  utilization_percent: z.number(),
  memory_used_mib: z.number(),
  temperature_c: z.number().nullable(),
  /** What computes on it, for people: `python3 (pid 4711, alice, 30112 MiB)`. */
  processes: z.array(z.string()),
});
export type GpuHealth = z.infer<typeof gpuHealth>;

export const helloLine = z.object({
  hello: z.object({
    protocol: z.number().int(),
    runner: z.string(),
    pid: z.number().int(),
    python: z.string(),
  }),
});

export const replyLine = z.union([
  z.object({ id: z.number().int(), event: jobEvent }),
  z.object({ id: z.number().int(), ok: z.literal(true), value: z.unknown() }),
  z.object({
    id: z.number().int(),
    ok: z.literal(false),
    error: z.object({ kind: boxErrorKind.or(z.literal('bad-request')), message: z.string() }),
  }),
]);

/** What each verb answers in `value`. */
export const verbValue = {
  start: z.object({ attached: z.boolean() }),
  /** A piece of the archive of a job that is yet to be started; how much of it is there now. */
  put: z.object({ bytes: z.number().int() }),
  follow: z.object({ result: jobResult }),
  /** `found`: a job of that key was alive; when the answer comes its processes are dead. */
  cancel: z.object({ found: z.boolean() }),
  status: z.object({ state: z.enum(['unknown', 'running', 'finished', 'dead']) }),
  probe: probeReport,
  /** Quick: meant for between two jobs. */
  health: z.object({ gpus: z.array(gpuHealth) }),
  /** A part of what a stage recorded, base64, from byte `from` on; empty at its end, null when there is none. */
  trace: z.object({ piece: z.string().nullable() }),
  /** Removes the folder of a finished job. */
  forget: z.object({ removed: z.boolean() }),
  /** Ends and removes every job of this instance whose key is not in `keep`, and that is older than `older_than_s`. */
  sweep: z.object({ removed: z.array(z.string()) }),
} as const;
export type Verb = keyof typeof verbValue;
