/** Ctrl-C and its like, as the abort of a signal. */

/** The reason of the abort. */
export const interrupted = Symbol('interrupted');
export const INTERRUPTED = 130;

/** `onFirst` is called once. A second Ctrl-C ends this process at once. `stop` takes the listeners off. */
export function listenForInterrupts(onFirst: () => void): { signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  let presses = 0;
  const abort = () => {
    if (controller.signal.aborted) return;
    onFirst();
    controller.abort(interrupted);
  };
  // Not SIGTERM: the bootstrap of `npm run` sends one behind every Ctrl-C.
  const onPress = () => {
    presses += 1;
    if (presses > 1) process.exit(INTERRUPTED);
    abort();
  };
  process.on('SIGINT', onPress);
  for (const name of ['SIGTERM', 'SIGHUP'] as const) process.on(name, abort);
  // Whoever reads us has gone, as in "| head".
  for (const stream of [process.stdout, process.stderr]) stream.on('error', abort);
  return {
    signal: controller.signal,
    stop() {
      process.off('SIGINT', onPress);
      for (const name of ['SIGTERM', 'SIGHUP'] as const) process.off(name, abort);
    },
  };
}
