/** The first line of an agent: that it is one, and that it speaks our protocol. */
import type { z } from 'zod';
import { BoxError } from '../domain/box-error.ts';
import { helloLine, PROTOCOL_VERSION } from '../domain/protocol.ts';
import { excerpt } from './lines.ts';
import type { Channel } from './transport.ts';

export type Hello = z.infer<typeof helloLine>['hello'];

const HELLO_TIMEOUT_MS = 30_000;

/** A channel that nobody reads never comes to its end. */
export async function drain(lines: AsyncIterator<string>): Promise<void> {
  try {
    while (!(await lines.next()).done);
  } catch {
    // It was given up already.
  }
}

/** Reads the first line. Throws BoxError: the text that came instead, or why nothing did. */
export async function readHello(
  channel: Channel,
  lines: AsyncIterator<string>,
  where: string,
): Promise<Hello> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const words = `the agent on ${where} did not say hello within ${HELLO_TIMEOUT_MS} ms`;
    timer = setTimeout(() => reject(new BoxError('channel-lost', words)), HELLO_TIMEOUT_MS);
  });
  try {
    const first = await Promise.race([lines.next(), tooLate]);
    if (first.done) {
      const { reason, lost } = await channel.closed;
      throw new BoxError(lost ? 'channel-lost' : 'runner-crashed', reason);
    }
    let parsed: ReturnType<typeof helloLine.safeParse> | undefined;
    try {
      parsed = helloLine.safeParse(JSON.parse(first.value));
    } catch {
      // Not even JSON: told below with its text.
    }
    if (!parsed?.success) {
      throw new BoxError('protocol-error', `the agent on ${where} began with “${excerpt(first.value)}”`);
    }
    const { hello } = parsed.data;
    if (hello.protocol !== PROTOCOL_VERSION) {
      const words = `the agent on ${where} speaks protocol ${hello.protocol}, this Hotlap ${PROTOCOL_VERSION}`;
      throw new BoxError('protocol-error', words);
    }
    return hello;
  } finally {
    clearTimeout(timer);
  }
}
