/** What a command on an open SSH connection costs, without Hotlap: the measure for everything in bench/dispatch.ts. */
import { readFile } from 'node:fs/promises';
import { connect as openSocket } from 'node:net';
import ssh2 from 'ssh2';
import { connectSsh } from '../src/boxes/ssh.ts';
import type { Sshd } from '../tests/support/sshd.ts';

const WARMUP = 5;

/** Milliseconds from asking for `exec true` to its exit code, each on its own channel of one connection. */
export async function timeBareExecs(sshd: Sshd, times: number): Promise<number[]> {
  const client = new ssh2.Client();
  // Without Nagle's delay, which would flatter what is compared with this.
  const sock = openSocket({ host: sshd.host, port: sshd.port, noDelay: true });
  const privateKey = await readFile(sshd.privateKeyPath, 'utf8');
  try {
    await new Promise<void>((resolve, reject) => {
      client.on('ready', () => resolve());
      client.on('error', reject);
      client.connect({ sock, username: sshd.user, privateKey });
    });
    return await timed(times, () => execTrue(client));
  } finally {
    client.destroy();
    sock.destroy();
  }
}

function execTrue(client: ssh2.Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.exec('true', (error, channel) => {
      if (error) return reject(error);
      channel.resume();
      channel.on('close', (code: number | null) => {
        if (code === 0) resolve();
        else reject(new Error(`true ended with ${code}`));
      });
    });
  });
}

/** The same through Hotlap's own transport, which adds a login shell's line and two marks. */
export async function timeTransportExecs(sshd: Sshd, times: number): Promise<number[]> {
  const transport = await connectSsh({
    host: sshd.host,
    port: sshd.port,
    username: sshd.user,
    privateKey: await readFile(sshd.privateKeyPath, 'utf8'),
    hostKeyFingerprint: sshd.hostKeyFingerprint,
  });
  try {
    return await timed(times, async () => {
      const { code } = await transport.exec(['true'], { timeoutMs: 10_000 });
      if (code !== 0) throw new Error(`true ended with ${code}`);
    });
  } finally {
    await transport.close();
  }
}

async function timed(times: number, run: () => Promise<void>): Promise<number[]> {
  const measured: number[] = [];
  for (let i = -WARMUP; i < times; i++) {
    const since = performance.now();
    await run();
    if (i >= 0) measured.push(performance.now() - since);
  }
  return measured;
}
