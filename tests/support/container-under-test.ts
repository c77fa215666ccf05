/**
 * Tests that need a real container engine use the one of HOTLAP_TEST_CONTAINER: `docker:IMAGE` or `podman:IMAGE`, an image
 * with `python3` that the machine has. Nothing is downloaded for a test, so without the variable they are skipped.
 */
import type { SandboxWish } from '../../src/domain/protocol.ts';

export type Container = Exclude<SandboxWish, string>;

export const noContainer = 'HOTLAP_TEST_CONTAINER names no engine and image (docker:python:3.13-slim)';

/** Null where none is named. */
export function containerUnderTest(): Container | null {
  const named = /^(docker|podman):(.+)$/.exec(process.env.HOTLAP_TEST_CONTAINER ?? '');
  return named ? { engine: named[1] as Container['engine'], image: named[2] ?? '' } : null;
}
