import { defineConfig } from 'vitest/config';
import { SummaryReporter } from './tests/support/summary-reporter.ts';

const databaseSetup = './tests/support/database-setup.ts';

/**
 * Groups run one after the other. The files of the first share two workers; those that start servers, measure time
 * or talk to several processes run alone, so that a busy machine cannot starve them.
 */
function project(name: string, group: number, options: { database: boolean; timeoutMs: number }) {
  return {
    extends: true as const,
    test: {
      name,
      include: name === 'architecture' ? ['tests/architecture.test.ts'] : [`tests/${name}/**/*.test.ts`],
      globalSetup: options.database ? [databaseSetup] : [],
      testTimeout: options.timeoutMs,
      hookTimeout: 60_000,
      maxWorkers: group === 0 ? 2 : 1,
      sequence: { groupOrder: group },
    },
  };
}

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', new SummaryReporter()],
    maxWorkers: 2,
    projects: [
      project('architecture', 0, { database: false, timeoutMs: 30_000 }),
      project('unit', 0, { database: false, timeoutMs: 20_000 }),
      project('db', 0, { database: true, timeoutMs: 60_000 }),
      project('runner', 1, { database: false, timeoutMs: 120_000 }),
      project('e2e', 2, { database: true, timeoutMs: 180_000 }),
      project('chaos', 3, { database: true, timeoutMs: 300_000 }),
    ],
  },
});
