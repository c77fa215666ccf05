/** What nobody but the owner may read is in no embed and no file that others get. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { notRanked } from '../../src/domain/not-ranked.ts';
import type { SubmissionView } from '../../src/domain/submission.ts';
import { announcementEmbed } from '../../src/reports/announcement.ts';
import { formatScore } from '../../src/reports/measure.ts';
import { reportFile } from '../../src/reports/report-file.ts';
import { submissionEmbed } from '../../src/reports/submission-embed.ts';
import { runsOf, submissionView } from './nasty-views.ts';

const SECRET = 0.0077345;
const shownSecret = formatScore(SECRET);
const PUBLIC = 0.0011111;

/** The owner's own view of a ranked success, secret scores and all. */
const ownView = submissionView.map(
  (view): SubmissionView => ({
    ...view,
    mode: 'leaderboard',
    status: 'done',
    gpus: view.gpus.slice(0, 4).map((gpu, index) => ({
      ...gpu,
      gpuType: `GPU${index}`,
      publicJob: { ...gpu.publicJob, status: 'finished', passed: true, failure: null, score: PUBLIC },
      secretJob: { ...gpu.publicJob, status: 'finished', passed: true, failure: null, score: SECRET },
      publicScore: PUBLIC,
      secretScore: SECRET,
      eligible: true,
    })),
  }),
);

describe('a secret score', () => {
  it('is never in an announcement, not even when that is made from the owner’s own view', () => {
    fc.assert(
      fc.property(ownView, (view) => {
        const text = JSON.stringify(announcementEmbed(view));
        expect(text).toContain(formatScore(PUBLIC));
        expect(text).not.toContain(shownSecret);
      }),
    );
  });

  it('is in the owner’s result and report, and in neither made from a view without it', () => {
    fc.assert(
      fc.property(ownView, (view) => {
        const runs = runsOf(view, 'n: 1').map((run) => ({
          ...run,
          secret: true,
          score: SECRET,
          stdout: 'SECRET-OUTPUT',
        }));
        expect(JSON.stringify(submissionEmbed(view, runs))).toContain(shownSecret);
        expect(reportFile(view, runs).text).toContain(shownSecret);
        const without = {
          ...view,
          gpus: view.gpus.map((gpu) => ({
            ...gpu,
            secretScore: null,
            secretJob: gpu.secretJob && { ...gpu.secretJob, score: null },
          })),
        };
        expect(JSON.stringify(submissionEmbed(without, runs))).not.toContain(shownSecret);
        expect(reportFile(without, runs).text).not.toContain(shownSecret);
      }),
      { numRuns: 40 },
    );
  });

  it('keeps its benchmark times and its output with it, in the owner’s result too', () => {
    fc.assert(
      fc.property(ownView, (view) => {
        const secret = runsOf(view, 'SECRET-CASE').map((run) => ({
          ...run,
          secret: true,
          stdout: 'SECRET-OUTPUT',
          stderr: 'SECRET-OUTPUT',
        }));
        const runs = [...runsOf(view, 'open case'), ...secret];
        const shown = JSON.stringify(submissionEmbed(view, runs)) + reportFile(view, runs).text;
        expect(shown).toContain('open case');
        expect(shown).not.toContain('SECRET-');
      }),
      { numRuns: 40 },
    );
  });
});

describe('a secret run that failed', () => {
  it('is told as such, without its failure, to its owner as well', () => {
    fc.assert(
      fc.property(ownView, (view) => {
        const failed: SubmissionView = {
          ...view,
          status: 'failed',
          gpus: view.gpus.map((gpu) => ({
            ...gpu,
            eligible: false,
            secretScore: null,
            secretJob: gpu.secretJob && {
              ...gpu.secretJob,
              passed: false,
              failure: { kind: 'wrong', stage: 'test', summary: 'SECRET-SUMMARY', detail: 'SECRET-DETAIL' },
            },
          })),
        };
        const shown = JSON.stringify(submissionEmbed(failed));
        expect(shown).toContain('failed: the secret run');
        expect(shown).not.toContain('SECRET-');
      }),
      { numRuns: 40 },
    );
  });
});

describe('code that was run without a sandbox', () => {
  it('is marked in the result and in the announcement', () => {
    fc.assert(
      fc.property(ownView, fc.constantFrom('none', 'bwrap'), (view, sandbox) => {
        const marked = {
          ...view,
          gpus: view.gpus.map((gpu) => ({ ...gpu, publicJob: { ...gpu.publicJob, sandbox } })),
        };
        for (const embed of [submissionEmbed(marked), announcementEmbed(marked)]) {
          expect(/without a sandbox/.test(JSON.stringify(embed))).toBe(sandbox === 'none');
        }
      }),
      { numRuns: 20 },
    );
  });
});

describe('a failure', () => {
  it('in a mode that does not count is followed by no advice to rank it', () => {
    fc.assert(
      fc.property(ownView, fc.constantFrom('test', 'benchmark', 'leaderboard'), (view, mode) => {
        const reason = notRanked('other-mode', { mode });
        const failure = { kind: 'wrong', stage: 'test', summary: 'no', detail: '' } as const;
        const failed: SubmissionView = {
          ...view,
          mode,
          status: 'failed',
          gpus: view.gpus.map((gpu) => ({
            ...gpu,
            eligible: false,
            notRanked: reason,
            publicJob: { ...gpu.publicJob, passed: false, failure },
          })),
        };
        expect(JSON.stringify(submissionEmbed(failed)).includes(reason.next)).toBe(mode === 'leaderboard');
      }),
      { numRuns: 20 },
    );
  });
});
