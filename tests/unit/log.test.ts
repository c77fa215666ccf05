import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';

function capture(level: 'debug' | 'warn') {
  const lines: string[] = [];
  const log = createLog({ level, format: 'json' }, { write: (line) => lines.push(line) });
  return { log, lines };
}

describe('the log', () => {
  it('hides tokens, seeds and credentials at the depths at which objects are logged', () => {
    const { log, lines } = capture('debug');
    log.info(
      { token: 'hush', job: { secretSeed: 'hush' }, request: { headers: { authorization: 'hush' } } },
      'x',
    );
    log.child({ password: 'hush' }).warn({ box: { seed: 'hush', name: 'shown' } });
    expect(lines.join('')).not.toContain('hush');
    expect(lines.join('')).toContain('shown');
  });

  it('writes one JSON line with an ISO time and a level in words', () => {
    const { log, lines } = capture('debug');
    log.debug({ jobId: 7 }, 'claimed');
    const line = JSON.parse(lines[0] ?? '');
    expect(line).toMatchObject({ level: 'debug', jobId: 7, msg: 'claimed' });
    expect(new Date(line.time).toISOString()).toBe(line.time);
  });

  it('keeps an error with its stack and its cause', () => {
    const { log, lines } = capture('debug');
    log.error({ err: new Error('outer', { cause: new Error('inner') }) }, 'failed');
    expect(lines[0]).toContain('outer');
    expect(lines[0]).toContain('inner');
  });

  it('drops what is below its level', () => {
    const { log, lines } = capture('warn');
    log.info('quiet');
    expect(lines).toEqual([]);
  });
});
