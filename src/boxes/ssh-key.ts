/**
 * Hotlap's own SSH key: made at first use, kept in the data directory, its public half shown to organisers.
 *
 * Ed25519, in OpenSSH's own file format, the only one for this type that ssh2 and OpenSSH both read. It is written
 * here from Node's key generator: ssh2's generator now and then makes a broken key, and ssh-keygen may be missing.
 * The format: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.key
 */
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import ssh2 from 'ssh2';

export interface SshKey {
  /** The text of an OpenSSH private key file. */
  privateKey: string;
  /** One line for `authorized_keys`: type, key, comment. */
  publicKey: string;
}

const COMMENT = 'hotlap';

/**
 * Reads the key at `path`, or makes it (mode 0600, its folder 0700); of two processes that make it at once, both
 * get the same one. Throws an Error in words when the file is there but is no private key without passphrase.
 */
export async function loadOrCreateKey(path: string): Promise<SshKey> {
  const found = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found !== null) {
    await chmod(path, 0o600);
    return parseKey(found, path);
  }
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${randomUUID()}`;
  try {
    await writeFile(draft, newPrivateKey(), { mode: 0o600, flag: 'wx' });
    // A link, not a rename: it fails where the other process was first.
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(draft, { force: true });
  }
  return parseKey(await readFile(path, 'utf8'), path);
}

function parseKey(text: string, path: string): SshKey {
  const parsed = ssh2.utils.parseKey(text);
  if (parsed instanceof Error) {
    throw new Error(`${path} is no SSH private key that Hotlap can use: ${parsed.message}`, {
      cause: parsed,
    });
  }
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || !key.isPrivateKey()) throw new Error(`${path} holds no SSH private key`);
  return {
    privateKey: text,
    publicKey: `${key.type} ${key.getPublicSSH().toString('base64')} ${key.comment || COMMENT}`,
  };
}

function newPrivateKey(): string {
  const { d, x } = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  if (d === undefined || x === undefined) throw new Error('Node made an Ed25519 key without its two halves');
  const seed = Buffer.from(d, 'base64url');
  const publicPoint = Buffer.from(x, 'base64url');
  const publicBlob = Buffer.concat([sized('ssh-ed25519'), sized(publicPoint)]);
  const check = randomBytes(4);
  const secret = Buffer.concat([
    check,
    check,
    publicBlob,
    sized(Buffer.concat([seed, publicPoint])),
    sized(COMMENT),
  ]);
  const padding = Buffer.from(Array.from({ length: -secret.length & 7 }, (_, index) => index + 1));
  const file = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    sized('none'),
    sized('none'),
    sized(''),
    Buffer.from([0, 0, 0, 1]),
    sized(publicBlob),
    sized(Buffer.concat([secret, padding])),
  ]);
  const body = file.toString('base64').replace(/.{70}/g, '$&\n').trimEnd();
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

/** A string of the SSH wire: its length in four bytes, then its bytes. */
function sized(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
