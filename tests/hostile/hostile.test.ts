/**
 * Every submission of tests/fixtures/hostile, run against real harnesses, and what stops it.
 *
 * Each is run sandboxed on every harness that it names: it must get its verdict from the reader that the server uses,
 * have no effect, leak nothing, and leave a box on which the next honest job passes. Then the layer that its docstring
 * names is put to the proof:
 *
 *   sandbox    the same runner without a sandbox: now it has an effect
 *   launcher,  no effect without a sandbox either, but one under a runner that takes no care (bare_runner.py)
 *   runner     (`launcher` is the part of ours that runs inside the evaluation's process)
 *   reader     the harness reports `check: pass`, and the reader refuses the report for its form
 *   harness    a harness that judges where the submission runs (`beats`) falls for it, sandbox or not
 *   nothing    no effect without a sandbox either
 *
 * The runs without a sandbox need root, which gives each a user id of its own: nothing of yours is within its reach.
 */
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import PQueue from 'p-queue';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SandboxWish, verbValue } from '../../src/domain/protocol.ts';
import { type Agent, HONEST, TestBox } from '../runner/runner-client.ts';
import { loadSubmissions, type SubmissionFixture } from '../runner/submission-fixture.ts';
import { containerUnderTest } from '../support/container-under-test.ts';
import { attack, attackBare, MARKER, type Observation, SEED, type Surroundings } from './attack.ts';

/** Of containers too: HOTLAP_TEST_CONTAINER has the whole list run in one. */
const sandboxed: SandboxWish = containerUnderTest() ?? 'auto';

const hostile = loadSubmissions('hostile');
const honest = loadSubmissions('honest');

// Before the agent starts, so that it and every supervisor carry a secret in their environment.
process.env.HOTLAP_PLANTED = MARKER;
const box = new TestBox();
const probe = verbValue.probe.parse(box.cli('probe', [])[0]);
const isRoot = process.platform === 'linux' && process.getuid?.() === 0;
const noSandbox = probe.sandbox === 'none' ? `no sandbox here: ${probe.sandbox_problem}` : '';
const noGroups = probe.limits === 'rlimits' ? `no control groups here: ${probe.limits_problem}` : '';

let agent: Agent;
let around: Surroundings;
const servers: Server[] = [];
const before = snapshot();
const table: string[] = [];

beforeAll(async () => {
  agent = await box.agent();
  const hint = mkdtempSync(join(tmpdir(), 'hotlap-hint-'));
  chmodSync(hint, 0o755);
  writeFileSync(join(hint, 'readable'), `#error ${MARKER}\n`);
  const socket = `@hotlap-${process.pid}`;
  around = { port: 0, socket, hint };
  const port = await listen({ port: 0, host: '127.0.0.1' });
  around.port = port ?? 0;
  if (process.platform === 'linux') await listen({ path: socket.replace('@', '\0') });
  // Somebody else's code, in a job folder beside those of the attackers.
  await agent.run(box.job({ submission: `${HONEST}# ${MARKER}\n` }));
});
afterAll(async () => {
  for (const server of servers) server.close();
  rmSync(around.hint, { recursive: true, force: true });
  await box.close();
  if (table.length > 0) console.log(`what stops which attack:\n${table.sort().join('\n')}`);
});

async function listen(where: { port: number; host: string } | { path: string }): Promise<number | null> {
  const server = createServer((socket) => socket.destroy());
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, resolve);
  });
  const address = server.address();
  return address !== null && typeof address === 'object' ? address.port : null;
}

/** Two at a time: the machine may have no more cores, and many fixtures have a time limit to meet. */
const lanes = new PQueue({ concurrency: 2 });
const inTurn = <T>(run: () => Promise<T>): Promise<T> => lanes.add(run);

describe('the list of hostile submissions', () => {
  it('has at least 30, and its header names a threat, a verdict and a layer for each', () => {
    expect(hostile.length).toBeGreaterThanOrEqual(30);
    for (const fixture of hostile) expect([fixture.name, fixture.threat]).not.toContain('');
    for (const fixture of hostile.filter(({ needs }) => needs === 'harness')) {
      expect([fixture.name, fixture.beats]).not.toContain(undefined);
    }
  });
});

const together = hostile.filter((fixture) => !fixture.alone);
const alone = hostile.filter((fixture) => fixture.alone);

describe.concurrent('a hostile submission', () => {
  it.for(together)('$name ($threat) gets what it must', { timeout: 300_000 }, (fixture, { skip }) => {
    skip(noSandbox !== '', noSandbox);
    return inTurn(() => judge(fixture));
  });
});

describe('a hostile submission that takes all it can', () => {
  it.for(alone)('$name ($threat) gets what it must', { timeout: 300_000 }, async (fixture, { skip }) => {
    skip(noSandbox !== '', noSandbox);
    skip(fixture.groups && noGroups !== '', noGroups);
    await judge(fixture);
  });

  it('is stopped by the limit and by nothing else: with more memory the same one ends well', async ({
    skip,
  }) => {
    skip(noSandbox !== '', noSandbox);
    skip(noGroups !== '', noGroups);
    const fixture = hostile.find(({ name }) => name === 'hog_memory');
    if (!fixture) throw new Error('hog_memory is gone');
    const poor = await attack(box, agent, fixture, 'pool', sandboxed, around);
    expect(poor.result.stages[0]?.exceeded).toContain('memory');
    const rich = await attack(box, agent, { ...fixture, memory_mib: 1024 }, 'pool', sandboxed, around);
    expect(rich.result.stages[0]?.exceeded).toEqual([]);
    expect(rich.effects).toContain('EFFECT: 450 MiB were taken');
  });
});

async function judge(fixture: SubmissionFixture): Promise<void> {
  for (const harness of fixture.harness) {
    const seen = await attack(box, agent, fixture, harness, sandboxed, around);
    expect(seen.result.sandbox).toBe(typeof sandboxed === 'string' ? 'bwrap' : sandboxed.engine);
    const wanted = fixture.verdict === 'any' ? seen.passed : fixture.verdict === 'accepted';
    const words = JSON.stringify(seen.result.stages).slice(0, 2000);
    expect({ harness, passed: seen.passed, effects: seen.effects }, words).toEqual({
      harness,
      passed: wanted,
      effects: [],
    });
    for (const secret of [MARKER, String(SEED)]) {
      expect(seen.returned.includes(secret), `${secret} came back`).toBe(false);
    }
    await expectHonestJobPasses();
  }
  await prove(fixture);
}

async function expectHonestJobPasses(): Promise<void> {
  const { result } = await agent.run(box.job({ submission: HONEST }), SEED);
  expect(result.stages[0]?.lines.at(-1)).toEqual(['check', 'pass']);
}

/** Shows that `needs` names the layer that stops the attack. */
async function prove(fixture: SubmissionFixture): Promise<void> {
  const [harness] = fixture.harness;
  if (harness === undefined) return;
  const proofs: string[] = [];
  if (fixture.needs === 'reader') {
    const seen = await attack(box, agent, fixture, harness, sandboxed, around);
    const checks = seen.result.stages.flatMap((stage) => stage.lines.filter(([key]) => key === 'check'));
    expect(checks.at(-1)).toEqual(['check', 'pass']);
    proofs.push(`the report says check: pass, read as ${seen.verdict}`);
  }
  if (fixture.needs === 'harness' && fixture.beats !== undefined) {
    const seen = await attack(box, agent, fixture, fixture.beats, sandboxed, around);
    expect(seen.effects).not.toEqual([]);
    proofs.push(`the harness of kind ${fixture.beats} falls for it: ${brief(seen.effects)}`);
  }
  if (isRoot) {
    const seen = await attack(box, agent, fixture, harness, 'off', around);
    if (fixture.needs === 'sandbox') {
      expect(seen.effects).not.toEqual([]);
      proofs.push(`without the sandbox: ${brief(seen.effects)}`);
    } else {
      expect(seen.effects).toEqual([]);
    }
    if (fixture.needs === 'launcher' || fixture.needs === 'runner')
      proofs.push(await proveBare(fixture, seen));
  }
  const proof = proofs.join('; ') || (isRoot ? 'no effect anywhere' : 'not tried further: needs root');
  table.push(`  ${fixture.needs.padEnd(9)} ${fixture.threat.padEnd(8)} ${fixture.name}: ${proof}`);
}

async function proveBare(fixture: SubmissionFixture, off: Observation): Promise<string> {
  const [harness] = fixture.harness;
  if (harness === undefined) return '';
  const effects = await attackBare(fixture, harness, around, off.verdict === 'timeout');
  expect(effects).not.toEqual([]);
  return `under a runner that takes no care: ${brief(effects)}`;
}

function brief(effects: string[]): string {
  const [first = '', ...others] = effects.map((effect) => effect.replace('EFFECT: ', '').slice(0, 90));
  return others.length > 0 ? `${first} (and ${others.length} more)` : first;
}

describe.concurrent('an honest submission that looks unusual', () => {
  it.for(honest)('$name is accepted', { timeout: 300_000 }, (fixture) =>
    inTurn(async () => {
      for (const harness of fixture.harness) {
        const seen = await attack(box, agent, fixture, harness, sandboxed, around);
        const words = JSON.stringify(seen.result.stages).slice(0, 2000);
        expect({ harness, passed: seen.passed, effects: seen.effects }, words).toEqual({
          harness,
          passed: true,
          effects: [],
        });
      }
    }),
  );
});

describe('the box after all of that', () => {
  it('is as it was before: processes, control groups, mounts, shared memory, keys, temporary files', async () => {
    await agent.request('sweep', { keep: [] });
    expect(readdirSync(join(box.root, 'tests', 'jobs'))).toEqual([]);
    // Another Hotlap on this machine may be running jobs: theirs come and go, what we left would stay.
    const deadline = performance.now() + 20_000;
    let more = added();
    while (more.length > 0 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      const now = added();
      more = more.filter((name) => now.includes(name));
    }
    expect(more).toEqual([]);
  });
});

function added(): string[] {
  return Object.entries(snapshot()).flatMap(([what, names]) => {
    const known = new Set(before[what]);
    return names.filter((name) => !known.has(name)).map((name) => `${what}: ${name}`);
  });
}

/** What could be left behind, by name. */
function snapshot(): Record<string, string[]> {
  if (process.platform !== 'linux') return {};
  const list = (folder: string, pattern: RegExp): string[] => {
    try {
      return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => pattern.test(name));
    } catch {
      return [];
    }
  };
  const lines = (path: string, pattern: RegExp): string[] =>
    readFileSync(path, 'latin1')
      .split('\n')
      .filter((line) => pattern.test(line));
  const processes = readdirSync('/proc').flatMap((pid) => {
    try {
      const status = readFileSync(`/proc/${pid}/status`, 'latin1');
      return /^Uid:\t19\d{8}\t/m.test(status) && !/^State:\tZ/m.test(status)
        ? [`${pid} ${status.slice(0, 40)}`]
        : [];
    } catch {
      return [];
    }
  });
  return {
    processes,
    groups: list('/sys/fs/cgroup', /hotlap-/),
    mounts: lines('/proc/self/mountinfo', /./),
    'shared memory': lines('/proc/sysvipc/shm', /\b19\d{8}\b/),
    keys: lines('/proc/keys', /hl-/),
    sockets: lines('/proc/net/unix', /hl-|hotlap-job/).map((line) => line.split(' ').at(-1) ?? ''),
    files: ['/tmp', '/var/tmp', '/dev/shm'].flatMap((folder) =>
      readdirSync(folder)
        .map((name) => join(folder, name))
        .filter((path) => (lstatSync(path, { throwIfNoEntry: false })?.uid ?? 0) >= 1_900_000_000),
    ),
  };
}
