/**
 * Lets so many of the pages that are asked for most, and of the tokens that come with them, be read at once, the others
 * in the order in which they came. The cores are busy with a few of them, so that more at once only makes everybody wait;
 * and they leave connections to the database for whoever submits, and moments between them for everything else that this
 * process answers.
 */
import PQueue from 'p-queue';

export type ReadGate = <T>(read: () => Promise<T>) => Promise<T>;

export function readGate(atOnce: number): ReadGate {
  const queue = new PQueue({ concurrency: atOnce });
  return (read) => queue.add(read);
}
