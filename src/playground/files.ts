import { randomBytes } from 'node:crypto';
import type { APIAttachment } from 'discord-api-types/v10';
import { nextSnowflake } from './snowflake.ts';

/** A file as it came in, before it has an address. `field` is its form field name. */
export interface UploadedFile {
  field: string;
  filename: string;
  contentType: string | undefined;
  bytes: Buffer;
}

interface KeptFile {
  attachment: APIAttachment;
  bytes: Buffer;
  signature: string;
}

const typesByExtension: Record<string, string> = {
  txt: 'text/plain',
  md: 'text/markdown',
  log: 'text/plain',
  py: 'text/x-python',
  cu: 'text/plain',
  cpp: 'text/x-c++',
  json: 'application/json',
  csv: 'text/csv',
  html: 'text/html',
  svg: 'image/svg+xml',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  zip: 'application/zip',
};

/** The stand-in's CDN. Addresses carry a signature, as Discord's do, so a file is found only by whoever was shown it. */
export class FileStore {
  readonly #files = new Map<string, KeptFile>();
  readonly #baseUrl: () => string;

  constructor(baseUrl: () => string) {
    this.#baseUrl = baseUrl;
  }

  keep(
    channelId: string,
    file: UploadedFile,
    options: { ephemeral: boolean; description?: string },
  ): APIAttachment {
    const id = nextSnowflake();
    const filename = safeName(file.filename);
    const signature = randomBytes(16).toString('hex');
    const folder = options.ephemeral ? 'ephemeral-attachments' : 'attachments';
    const url = `${this.#baseUrl()}/${folder}/${channelId}/${id}/${filename}?hm=${signature}`;
    const attachment: APIAttachment = {
      id,
      filename,
      size: file.bytes.length,
      url,
      proxy_url: url,
      content_type: contentTypeOf(filename, file),
      ...pngSize(file.bytes),
      ...(options.ephemeral ? { ephemeral: true } : {}),
      ...(options.description === undefined ? {} : { description: options.description }),
    };
    this.#files.set(id, { attachment, bytes: file.bytes, signature });
    return attachment;
  }

  /** The file of an address, or undefined when there is none or its signature is wrong. */
  find(id: string, signature: string | null): { attachment: APIAttachment; bytes: Buffer } | undefined {
    const file = this.#files.get(id);
    return file !== undefined && file.signature === signature ? file : undefined;
  }
}

function safeName(filename: string): string {
  const last = filename.split(/[\\/]/).at(-1) ?? '';
  const plain = last.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^\.+/, '');
  return plain === '' ? 'unknown' : plain;
}

function contentTypeOf(filename: string, file: UploadedFile): string {
  const extension = filename.split('.').at(-1)?.toLowerCase() ?? '';
  const given = file.contentType === 'application/octet-stream' ? undefined : file.contentType;
  const type = typesByExtension[extension] ?? given ?? 'application/octet-stream';
  const textual = type.startsWith('text/') || type === 'application/json';
  return textual && !type.includes('charset') && isUtf8(file.bytes) ? `${type}; charset=utf-8` : type;
}

function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function pngSize(bytes: Buffer): { width: number; height: number } | undefined {
  const isPng = bytes.length > 24 && bytes.subarray(1, 4).toString('latin1') === 'PNG';
  return isPng ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } : undefined;
}
