/**
 * Where things lie on a box. What is inside `<root>/<instance>` belongs to the runner (see domain/protocol.ts).
 */
import { join } from 'node:path';

/** The root folder where none is named; the box's own Python resolves `~`. */
export const DEFAULT_ROOT = '~/.hotlap';

/** The root folder of the local box: beside Hotlap's other data, so that one folder holds all of an installation. */
export function localRoot(dataDir: string): string {
  return join(dataDir, 'box');
}

/** The runner archive of one version below a resolved root. Boxes are POSIX machines, whatever this one is. */
export function runnerPath(root: string, hash: string): string {
  return `${root.replace(/\/+$/, '')}/runner/${hash}.zip`;
}

/** An instance names a folder and is an argument of a command. Throws a TypeError for anything but a plain name. */
export function checkInstance(instance: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/.test(instance) || instance === 'runner') {
    throw new TypeError(`not a usable instance name: ${JSON.stringify(instance)}`);
  }
  return instance;
}
