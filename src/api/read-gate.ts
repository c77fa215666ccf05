/**
 * Lets the pages that are asked for most, and the tokens that come with them, be read one after the other for as long as
 * each is quick, in the order in which they came. One database connection keeps up with what this process can send, and
 * between two pages it comes to everything else that it answers: /health does not wait for all of those that are asked for
 * at once. A page that takes longer does not hold up the next, until so many are being read that more would only make
 * everybody wait, and take the connections of whoever submits.
 */
import PQueue from 'p-queue';

export type ReadGate = <T>(read: () => Promise<T>) => Promise<T>;

/** After this it is the database that is waited for, and not this process that is busy. */
const QUICK_MS = 5;

export function readGate(atMost: number): ReadGate {
  const starts = new PQueue({ concurrency: 1 });
  const reads = new PQueue({ concurrency: atMost });
  return (read) =>
    new Promise((resolve, reject) => {
      void starts.add(
        () =>
          new Promise<void>((next) => {
            const slow = setTimeout(next, QUICK_MS);
            reads
              .add(read)
              .then(resolve, reject)
              .finally(() => {
                clearTimeout(slow);
                next();
              });
          }),
      );
    });
}
