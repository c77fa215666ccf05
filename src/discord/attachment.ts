/** Fetching an attachment with a cap: the size that Discord declares is a claim, the bytes that arrive are counted. */
import { UserError } from '../domain/errors.ts';

const TIMEOUT_MS = 20_000;

/** Throws UserError `file-too-large` or `download-failed`. */
export async function downloadAttachment(
  attachment: { name: string; url: string; size: number },
  limitBytes: number,
): Promise<Uint8Array> {
  const tooLarge = (size: number) =>
    new UserError('file-too-large', { file: attachment.name, size, limit: limitBytes });
  if (attachment.size > limitBytes) throw tooLarge(attachment.size);
  try {
    const response = await fetch(attachment.url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok || !response.body) throw new UserError('download-failed', { file: attachment.name });
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of response.body) {
      size += chunk.length;
      if (size > limitBytes) throw tooLarge(size);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError('download-failed', { file: attachment.name });
  }
}
