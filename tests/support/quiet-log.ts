import { createLog } from '../../src/log.ts';

/** A log for tests that look at something else; `HOTLAP_TEST_LOG=debug` lets it speak. */
export const quietLog = createLog({
  level: process.env.HOTLAP_TEST_LOG === 'debug' ? 'debug' : 'silent',
  format: 'json',
});
