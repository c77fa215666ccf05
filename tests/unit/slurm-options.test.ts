import { describe, expect, it } from 'vitest';
import { parseSbatchOptions, slurmOptions } from '../../src/domain/slurm.ts';

const plain = { partition: null, account: null, qos: null, gres: null, options: [], root: null };

describe('further options of sbatch', () => {
  it('are taken one by one', () => {
    expect(parseSbatchOptions(' --constraint=a100&nvlink  --mem=64G --exclusive\n')).toEqual({
      options: ['--constraint=a100&nvlink', '--mem=64G', '--exclusive'],
      problem: null,
    });
    expect(parseSbatchOptions('')).toEqual({ options: [], problem: null });
  });

  it.each(['-n4', '--mem 64G', 'gpus', '--Mem=1', '--mem=', '; rm -rf /'])('are refused as %s', (text) => {
    expect(parseSbatchOptions(text)).toMatchObject({ problem: expect.stringMatching(/--name=value/) });
  });

  it.each([
    ...[
      '--array=1-9',
      '--wrap=true',
      '--job-name=x',
      '--output=/dev/null',
      '--error=x',
      '--chdir=/',
      '--time=1',
    ],
    ...[
      '--requeue',
      '--test-only',
      '--wait',
      '--hold',
      '--clusters=all',
      '--export=NONE',
      '--parsable',
      '--input=x',
    ],
  ])('are refused where Hotlap could not follow the job: %s', (option) => {
    expect(parseSbatchOptions(`--mem=1G ${option}`).problem).toContain(`${option} is for Hotlap to set`);
  });

  it('may begin like one that is refused', () => {
    expect(parseSbatchOptions('--wait-all-nodes=1 --hold-time=1').problem).toBeNull();
  });
});

describe('partition, account, QoS and GPU', () => {
  it.each([
    { partition: 'gpu-long', account: 'proj.42', qos: 'high_prio' },
    { gres: 'gpu' },
    { gres: 'gpu:h100:2,nvme:1' },
    { root: '/scratch/hotlap' },
  ])('are taken as %j', (options) => {
    expect(slurmOptions.safeParse({ ...plain, ...options }).success).toBe(true);
  });

  it.each([
    ...[
      { partition: 'a,b' },
      { partition: '-x' },
      { account: 'a b' },
      { qos: '' },
      { gres: 'gpu:h100 --exclusive' },
    ],
    { gres: 'gpu;x' },
  ])('are refused as %j', (options) => {
    expect(slurmOptions.safeParse({ ...plain, ...options }).success).toBe(false);
  });
});
