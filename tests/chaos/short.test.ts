/** The short form of `npm run chaos`: few faults, always the same ones. */
import { describe, expect, it } from 'vitest';
import { sshdMissing } from '../support/sshd.ts';
import { findings, renderReport } from './report.ts';
import { runChaos } from './run.ts';

const SEED = 3;

describe.skipIf(sshdMissing() !== null)('chaos, in short', () => {
  it('loses nothing, stores nothing twice and runs nothing again needlessly', {
    timeout: 300_000,
  }, async () => {
    const report = await runChaos({
      trials: 8,
      seed: SEED,
      minutes: 3,
      kinds: [
        'both killed',
        'bot killed',
        'sshd killed',
        'connections dropped',
        'database killed',
        'disk full',
        'Discord 5xx and 429',
        'cancelled',
      ],
      say: () => {},
    });
    expect(findings(report), renderReport(report)).toEqual([]);
    expect(report.verdicts.filter((verdict) => verdict.finished).length).toBe(report.verdicts.length);
  });
});
