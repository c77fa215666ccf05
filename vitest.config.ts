import { defineConfig } from 'vitest/config';
import { SummaryReporter } from './tests/support/summary-reporter.ts';

const databaseSetup = './tests/support/database-setup.ts';

/**
 * Groups run one after the other, the files of a group in as many workers as it has. The hostile submissions look at what
 * they leave on the machine, and chaos kills what it meets: those have it for themselves. Runner and end-to-end tests wait
 * more than they compute, so one more of them than there are cores is at work.
 */
function project(
  name: string,
  group: number,
  options: { workers: number; database: boolean; timeoutMs: number },
) {
  return {
    extends: true as const,
    test: {
      name,
      include: name === 'architecture' ? ['tests/architecture.test.ts'] : [`tests/${name}/**/*.test.ts`],
      globalSetup: options.database ? [databaseSetup] : [],
      testTimeout: options.timeoutMs,
      hookTimeout: 60_000,
      maxWorkers: options.workers,
      sequence: { groupOrder: group },
    },
  };
}

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', new SummaryReporter()],
    maxWorkers: 3,
    projects: [
      project('architecture', 0, { workers: 2, database: false, timeoutMs: 30_000 }),
      project('unit', 0, { workers: 2, database: false, timeoutMs: 20_000 }),
      project('db', 0, { workers: 2, database: true, timeoutMs: 60_000 }),
      project('runner', 1, { workers: 3, database: false, timeoutMs: 120_000 }),
      project('e2e', 1, { workers: 3, database: true, timeoutMs: 180_000 }),
      project('hostile', 2, { workers: 1, database: false, timeoutMs: 120_000 }),
      project('chaos', 3, { workers: 1, database: true, timeoutMs: 300_000 }),
    ],
  },
});
