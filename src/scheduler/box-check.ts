/**
 * Looks a box over, step by step: can it be reached, is it what was registered, is it idle, is it as fast as it was.
 *
 * The canary needs the box to itself. So the look is announced in the database, where every scheduler that claims sees
 * it, and while jobs run there the canary is left out rather than waited for.
 */
import { runCanary } from '../boxes/canary.ts';
import type { BoxConnection } from '../boxes/connection.ts';
import {
  endBoxCheck,
  listDevicesInUse,
  renewBoxCheck,
  saveBaseline,
  takeBoxCheck,
} from '../db/box-checks.ts';
import type { BoxRow } from '../db/boxes.ts';
import type { Sql } from '../db/client.ts';
import { sandboxWish } from '../domain/box.ts';
import { BoxError, boxErrorRemedies } from '../domain/box-error.ts';
import {
  canaryText,
  type Finding,
  judgeCanary,
  judgeCluster,
  judgeIdle,
  judgeProbe,
} from '../domain/box-health.ts';

/** Held for as long as the look takes; it ends by itself soon after we die in the middle. */
const RESERVED_S = 30;
const RENEW_MS = 10_000;

export interface Check {
  findings: Finding[];
  /** Nobody else looked meanwhile, and no job ran there. */
  alone: boolean;
  /** No finding is bad, and everything could be looked at. */
  healthy: boolean;
}

/** Never throws for a box's failure: that is a finding. `onFinding` is called with each as it comes. */
export async function checkBox(
  sql: Sql,
  box: BoxRow,
  connection: BoxConnection,
  onFinding: (finding: Finding) => void = () => {},
): Promise<Check> {
  const findings: Finding[] = [];
  const add = (finding: Finding) => {
    findings.push(finding);
    onFinding(finding);
  };
  if (box.kind === 'slurm') return checkCluster(box, connection, add, findings);
  const token = await sql.begin((tx) => takeBoxCheck(tx, box.id, RESERVED_S));
  const alone = token !== null;
  let isComplete = alone;
  // A renewal that fails is made up for by the next; should none come through, the box is free for work again.
  const renewal = setInterval(() => {
    if (alone) renewBoxCheck(sql, box.id, token, RESERVED_S).catch(() => {});
  }, RENEW_MS);
  try {
    const agent = await connection.agent();
    add({
      name: 'Login',
      state: 'ok',
      text: `${connection.box.username ?? 'this machine'}: host key, key and runner are in order`,
    });
    const probe = await agent.probe(sandboxWish(box));
    for (const finding of judgeProbe(probe, box, new Date())) add(finding);
    const inUse = await listDevicesInUse(sql, box.id);
    add(
      judgeIdle(
        (await agent.health()).filter((gpu) => !inUse.includes(gpu.index)),
        box.probe,
      ),
    );
    if (token === null) {
      add({
        name: 'Canary',
        state: 'skipped',
        text: 'jobs are running there, or somebody else looks at it: not measured',
      });
    } else {
      add(await canaryFinding(sql, box, connection));
    }
  } catch (error) {
    if (!(error instanceof BoxError)) throw error;
    isComplete = false;
    add({ name: 'Trouble', state: 'bad', text: `${error.message}. ${boxErrorRemedies[error.kind]}` });
  } finally {
    clearInterval(renewal);
    if (alone) await endBoxCheck(sql, box.id, token);
  }
  return { findings, alone, healthy: isComplete && findings.every((finding) => finding.state !== 'bad') };
}

/** The look at a node is a job of the cluster beside all others, so nothing is held up and nothing is measured. */
async function checkCluster(
  box: BoxRow,
  connection: BoxConnection,
  add: (finding: Finding) => void,
  findings: Finding[],
): Promise<Check> {
  try {
    const agent = await connection.agent();
    add({ name: 'Login', state: 'ok', text: 'host key, key and runner are in order on the login node' });
    for (const finding of judgeCluster(await agent.probe(sandboxWish(box)), box)) add(finding);
    add({
      name: 'Canary',
      state: 'skipped',
      text: 'a cluster places each job anew: no node is held against another',
    });
    return { findings, alone: true, healthy: findings.every((finding) => finding.state !== 'bad') };
  } catch (error) {
    if (!(error instanceof BoxError)) throw error;
    // A full queue is no fault of the cluster.
    if (error.kind === 'cluster-away') add({ name: 'Cluster', state: 'warn', text: error.message });
    else add({ name: 'Trouble', state: 'bad', text: `${error.message}. ${boxErrorRemedies[error.kind]}` });
    return { findings, alone: true, healthy: false };
  }
}

async function canaryFinding(sql: Sql, box: BoxRow, connection: BoxConnection): Promise<Finding> {
  const run = await runCanary(connection, { gpus: gpusOf(box), sandbox: sandboxWish(box) });
  if (run.measured === null) return { name: 'Canary', state: 'bad', text: `it failed: ${run.problem}` };
  if (box.baseline !== null) return judgeCanary(box.baseline, run.measured);
  await saveBaseline(sql, box.id, run.measured);
  return {
    name: 'Canary',
    state: 'ok',
    text: `${canaryText(run.measured)}; later runs are held against this`,
  };
}

export function gpusOf(box: Pick<BoxRow, 'probe'>): number[] {
  return (box.probe?.gpus ?? []).map((gpu) => gpu.index);
}

/** What speaks against a box, as one text: the evidence of a quarantine. */
export function evidenceOf(check: Check): string {
  return check.findings
    .filter((finding) => finding.state === 'bad')
    .map((finding) => `${finding.name}: ${finding.text}`)
    .join('\n');
}
