import type { IncomingMessage } from 'node:http';
import busboy from 'busboy';
import { refusals } from './discord-error.ts';
import type { UploadedFile } from './files.ts';

// Discord's limit per file on a server without boosts; the bot must stay under it, people's uploads as well.
export const maxFileBytes = 10 * 1024 * 1024;
const maxFiles = 10;
const maxJsonBytes = 2 * 1024 * 1024;

export interface RequestBody {
  json: unknown;
  files: UploadedFile[];
}

/**
 * Reads a JSON or multipart body (`payload_json` plus files), as Discord takes them.
 *
 * @throws DiscordError 40005 for a file or body over the limit, 50109 for bad JSON
 */
export async function readBody(request: IncomingMessage): Promise<RequestBody> {
  const type = request.headers['content-type'] ?? '';
  if (type.startsWith('multipart/form-data')) return readMultipart(request);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxJsonBytes) throw refusals.tooLarge();
    chunks.push(chunk);
  }
  return { json: parseJson(Buffer.concat(chunks).toString('utf8')), files: [] };
}

function parseJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw refusals.badJson();
  }
}

function readMultipart(request: IncomingMessage): Promise<RequestBody> {
  return new Promise((resolve, reject) => {
    const files: UploadedFile[] = [];
    let payload = '';
    let tooLarge = false;
    const parser = multipartParser(request);
    parser.on('field', (name, value) => {
      if (name === 'payload_json') payload = value;
    });
    parser.on('file', (field, stream, info) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('limit', () => {
        tooLarge = true;
      });
      stream.on('end', () => {
        const bytes = Buffer.concat(chunks);
        if (bytes.length > maxFileBytes) tooLarge = true;
        files.push({
          field,
          filename: info.filename ?? 'unknown',
          contentType: info.mimeType,
          bytes,
        });
      });
    });
    parser.on('error', () => reject(refusals.badJson()));
    parser.on('close', () => {
      if (tooLarge) return reject(refusals.tooLarge());
      try {
        resolve({ json: parseJson(payload), files });
      } catch (error) {
        reject(error);
      }
    });
    request.on('error', reject);
    request.pipe(parser);
  });
}

function multipartParser(request: IncomingMessage): busboy.Busboy {
  try {
    return busboy({
      headers: request.headers,
      defParamCharset: 'utf8',
      limits: { fileSize: maxFileBytes + 1, files: maxFiles + 1, fieldSize: maxJsonBytes },
    });
  } catch {
    // No boundary in the content type.
    throw refusals.badJson();
  }
}
