/**
 * A file out of a multipart body, as the existing clients send it: a part `file` with a file name in raw UTF-8 and often
 * without a Content-Type of its own. Its bytes stay as they are. No more than a submission may have is ever held.
 */
import busboy from 'busboy';
import type { FastifyRequest } from 'fastify';
import { UserError } from '../domain/errors.ts';
import { MAX_ARCHIVE_BYTES } from '../domain/serving-task.ts';
import { isArchiveName, maxBytesOf } from '../intake/archive.ts';
import { MAX_SOURCE_BYTES, type SourceFile } from '../intake/validate.ts';
import { Refusal } from './errors.ts';
import type { Server } from './server-type.ts';

/** Boundaries, headers and small fields beside the file. */
const OTHER_BYTES = 64 * 1024;
const MAX_PARTS = 20;

/** Lets multipart bodies pass unread to the handlers, whose guards have spoken by then. */
export function takeMultipart(server: Server): void {
  server.addContentTypeParser('multipart/form-data', (_request, _payload, done) => done(null));
}

/**
 * Throws Refusal or UserError: no such part, no name, too large, cut off. What is left of the body is not kept. Of an archive
 * for a board that takes none there is only the name, by which it is refused: nobody fills our memory with the rest.
 */
export async function readUpload(
  request: FastifyRequest,
  { takesArchives }: { takesArchives: boolean } = { takesArchives: true },
): Promise<SourceFile> {
  const limit = takesArchives ? MAX_ARCHIVE_BYTES : MAX_SOURCE_BYTES;
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > MAX_ARCHIVE_BYTES + OTHER_BYTES) throw tooLarge('the file', limit);
  let parser: busboy.Busboy;
  try {
    parser = busboy({
      headers: request.headers,
      defParamCharset: 'utf8',
      limits: { fileSize: MAX_ARCHIVE_BYTES + 1, files: MAX_PARTS, parts: MAX_PARTS, fieldSize: 1024 },
    });
  } catch {
    throw missingFile();
  }
  try {
    return await firstFile(request, parser, takesArchives);
  } finally {
    request.raw.unpipe(parser);
    request.raw.resume();
  }
}

function firstFile(
  request: FastifyRequest,
  parser: busboy.Busboy,
  takesArchives: boolean,
): Promise<SourceFile> {
  return new Promise((resolve, reject) => {
    const cutOff = () => reject(new Refusal(400, 'cut-off', 'The upload ended before its body did.'));
    request.raw.once('aborted', cutOff);
    let found: SourceFile | null = null;
    parser.on('file', (field, stream, info) => {
      if (field !== 'file' || found) return void stream.resume();
      const name = info.filename ?? '';
      if (isArchiveName(name) && !takesArchives) {
        found = { name, bytes: new Uint8Array() };
        return void stream.resume();
      }
      const limit = maxBytesOf(name);
      const parts: Buffer[] = [];
      let size = 0;
      stream.on('data', (part: Buffer) => {
        size += part.length;
        if (size <= limit) parts.push(part);
        else reject(tooLarge(name, limit));
      });
      found = { name, bytes: new Uint8Array() };
      // The parser says the same of the whole body.
      stream.once('error', () => {});
      stream.once('end', () => {
        found = { name, bytes: Buffer.concat(parts) };
      });
    });
    parser.once('error', () =>
      reject(new Refusal(422, 'invalid', 'The multipart body is malformed or cut off.')),
    );
    parser.once('close', () => {
      request.raw.off('aborted', cutOff);
      if (!found || found.name === '') reject(missingFile());
      else resolve(found);
    });
    request.raw.pipe(parser);
  });
}

function tooLarge(file: string, limit: number): UserError {
  return new UserError('file-too-large', { file, size: `more than ${limit}`, limit });
}

function missingFile(): Refusal {
  return new Refusal(
    422,
    'no-file',
    'Send the file as multipart/form-data, in a part named `file` that has a file name.',
  );
}
