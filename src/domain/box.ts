/** What a box is made of: its lanes, and the GPU types that they serve. */
import { UserError } from './errors.ts';
import { gpuTypeOf } from './gpu-type.ts';
import { container, type ProbeReport, type SandboxWish } from './protocol.ts';
import type { SlurmOptions } from './slurm.ts';

/** One slot of a box. */
export interface BoxLane {
  /** GPU types of the jobs that may run here. */
  gpus: string[];
  /** Number of the GPU that is this lane's own, as the driver counts; null: none, or all that there are. */
  device: number | null;
}

export interface BoxLayout {
  /** One to 64. */
  lanes: BoxLane[];
  /** Types whose jobs take every lane at once: `MI300x8` on a box with eight MI300. */
  wholeTypes: string[];
}

/** `docker:IMAGE` or `podman:IMAGE`; null when it is neither. */
export function parseContainer(text: string): SandboxChoice | null {
  const [, engine, image] = /^(docker|podman):(.+)$/.exec(text.trim()) ?? [];
  const parsed = container.safeParse({ engine, image });
  return parsed.success ? parsed.data : null;
}

/** What a box asks of the runner for each job. */
export function sandboxWish(box: { unsafe: boolean; sandbox: SandboxChoice }): SandboxWish {
  if (box.sandbox.engine !== 'bubblewrap') return box.sandbox;
  return box.unsafe ? 'auto' : 'required';
}

/** What submissions are locked into. Containers need the name of an image that the box has. */
export type SandboxChoice = { engine: 'bubblewrap' } | { engine: 'docker' | 'podman'; image: string };

/** A machine, or the login node of a cluster, that an organiser wants to register. */
export interface NewBox {
  name: string;
  /** These four are null for a cluster whose login node is this machine. */
  host: string | null;
  port: number | null;
  username: string | null;
  /** `SHA256:...`, as the organiser confirmed it. */
  hostKey: string | null;
  /** Null: from the model that the probe finds. */
  gpuTypes: string[] | null;
  /** Null: one for each GPU, or what a cluster is handed at once by default. */
  slots: number | null;
  /** Submissions may run here without a sandbox. */
  unsafe: boolean;
  sandbox: SandboxChoice;
  /** Of a cluster, and of nothing else. */
  slurm: SlurmOptions | null;
}

/** The GPU type that a probe or an organiser names for a machine without one. */
export const CPU_TYPE = 'CPU';
export const MOST_SLOTS = 64;

/** Every GPU type that the box serves, each once. */
export function servedTypes(layout: BoxLayout): string[] {
  return [...new Set([...layout.lanes.flatMap((lane) => lane.gpus), ...layout.wholeTypes])];
}

/** Lanes that are all alike. */
export function evenLanes(gpuTypes: string[], slots: number): BoxLane[] {
  return Array.from({ length: slots }, () => ({ gpus: gpuTypes, device: null }));
}

/**
 * One lane per GPU. `wanted` null takes the types from the models; two or more GPUs of one model also serve
 * `<model>x<count>` as a whole. A type that an organiser gives goes to every GPU of that model, or to all where none
 * goes by that name; one that ends in `x<count>` is a box of one lane with all its GPUs. `also` are types that every
 * lane serves besides.
 *
 * Throws UserError `box-slots` when there are more slots than GPUs to time on.
 */
export function layOut(
  gpus: ProbeReport['gpus'],
  wish: { gpuTypes: string[] | null; slots: number | null; also?: string[] },
): BoxLayout {
  const also = wish.also ?? [];
  const found = gpus.flatMap((gpu) => {
    const type = gpuTypeOf(gpu.model);
    return type === null ? [] : [{ device: gpu.index, type }];
  });
  const wanted = wish.gpuTypes;
  const needsNoGpu = wanted?.every((type) => type.toUpperCase() === CPU_TYPE) ?? found.length === 0;
  if (needsNoGpu)
    return {
      lanes: evenLanes([...new Set([...(wanted ?? [CPU_TYPE]), ...also])], wish.slots ?? 1),
      wholeTypes: [],
    };
  if (wanted !== null && (found.length === 0 || wanted.every(isWholeType))) {
    return { lanes: evenLanes([...wanted, ...also], wish.slots ?? 1), wholeTypes: [] };
  }

  const named = found.filter(({ type }) => wanted === null || includes(wanted, type));
  const used = (named.length > 0 ? named : found).slice(0, wish.slots ?? MOST_SLOTS);
  const most = named.length > 0 ? named.length : found.length;
  if (wish.slots !== null && wish.slots > most)
    throw new UserError('box-slots', { slots: wish.slots, gpus: most });
  const lanes = used.map(({ device, type }) => ({
    gpus: [...new Set([...(wanted === null ? [type] : matching(wanted, type)), ...also])],
    device,
  }));
  const models = new Set(found.map(({ type }) => type));
  const isWhole = wanted === null && models.size === 1 && found.length > 1 && lanes.length === found.length;
  return { lanes, wholeTypes: isWhole ? [`${[...models][0]}x${found.length}`] : [] };
}

/** `MI300x8`: a type that means several GPUs. */
function isWholeType(type: string): boolean {
  return /x\d+$/.test(type);
}

function includes(types: string[], type: string): boolean {
  return types.some((each) => each.toLowerCase() === type.toLowerCase());
}

/** Of the given types those that the model goes by; all of them where it goes by none. */
function matching(types: string[], type: string): string[] {
  const own = types.filter((each) => each.toLowerCase() === type.toLowerCase());
  return own.length > 0 ? own : types;
}
