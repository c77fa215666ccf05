import { describe, expect, it } from 'vitest';
import { gpuTypeOf } from '../../src/domain/gpu-type.ts';

describe('the short name of a GPU', () => {
  it.each([
    ['NVIDIA H100 80GB HBM3', 'H100'],
    ['NVIDIA H100 PCIe', 'H100'],
    ['NVIDIA H200', 'H200'],
    ['NVIDIA B200', 'B200'],
    ['NVIDIA GH200 480GB', 'GH200'],
    ['NVIDIA A100-SXM4-80GB', 'A100'],
    ['NVIDIA A100 80GB PCIe', 'A100'],
    ['Tesla V100-SXM2-16GB', 'V100'],
    ['Tesla T4', 'T4'],
    ['NVIDIA L4', 'L4'],
    ['NVIDIA L40S', 'L40S'],
    ['NVIDIA GeForce RTX 4090', 'RTX4090'],
    ['NVIDIA RTX 6000 Ada Generation', 'RTX6000'],
    ['NVIDIA TITAN V', 'TITANV'],
    ['Quadro RTX 8000', 'RTX8000'],
    ['AMD Instinct MI300X', 'MI300'],
    ['AMD Instinct MI355X', 'MI355X'],
    ['AMD Radeon RX 7900 XTX', 'RX7900'],
    ['Intel(R) Arc(TM) A770 Graphics', 'ARCA770'],
    ['  nvidia   h100  ', 'H100'],
  ])('of %j is %s', (model, name) => {
    expect(gpuTypeOf(model)).toBe(name);
  });

  it.each(['', '   ', 'NVIDIA Graphics', 'AMD Instinct', '???', 'x'.repeat(32)])(
    'of %j cannot be told',
    (model) => {
      expect(gpuTypeOf(model)).toBe(null);
    },
  );
});
