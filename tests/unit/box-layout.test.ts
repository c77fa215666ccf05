import { describe, expect, it } from 'vitest';
import { layOut, servedTypes } from '../../src/domain/box.ts';
import { UserError } from '../../src/domain/errors.ts';

const H100 = 'NVIDIA H100 80GB HBM3';
const gpus = (...models: string[]) =>
  models.map((model, index) => ({ index, model, memory_mib: 81_559, driver: '580.65' }));
const derived = { gpuTypes: null, slots: null };

describe('the lanes of a box', () => {
  it('are one of type CPU on a machine without a GPU, or as many as are asked for', () => {
    expect(layOut([], derived)).toEqual({ lanes: [{ gpus: ['CPU'], device: null }], wholeTypes: [] });
    expect(layOut([], { gpuTypes: null, slots: 3 }).lanes).toHaveLength(3);
  });

  it('are one per GPU, each with its own, and two or more of a model also serve as a whole', () => {
    const layout = layOut(gpus(H100, H100), derived);
    expect(layout.lanes).toEqual([
      { gpus: ['H100'], device: 0 },
      { gpus: ['H100'], device: 1 },
    ]);
    expect(layout.wholeTypes).toEqual(['H100x2']);
    expect(servedTypes(layout)).toEqual(['H100', 'H100x2']);
    expect(layOut(gpus(H100), derived).wholeTypes).toEqual([]);
  });

  it('keep the models of a mixed machine apart and serve nothing as a whole', () => {
    const layout = layOut(gpus(H100, 'NVIDIA A100-SXM4-80GB'), derived);
    expect(layout.lanes.map((lane) => lane.gpus)).toEqual([['H100'], ['A100']]);
    expect(layout.wholeTypes).toEqual([]);
  });

  it('are fewer when fewer are asked for, and no box is a whole then', () => {
    const layout = layOut(gpus(H100, H100, H100), { gpuTypes: null, slots: 2 });
    expect(layout.lanes.map((lane) => lane.device)).toEqual([0, 1]);
    expect(layout.wholeTypes).toEqual([]);
  });

  it('serve every other type beside their own where that is asked for', () => {
    expect(layOut(gpus(H100), { ...derived, also: ['CPU'] }).lanes).toEqual([
      { gpus: ['H100', 'CPU'], device: 0 },
    ]);
    expect(layOut([], { ...derived, also: ['CPU'] }).lanes).toEqual([{ gpus: ['CPU'], device: null }]);
  });

  it('take the name that an organiser gives, for the GPUs of that model or for all', () => {
    const own = layOut(gpus('NVIDIA A100-SXM4-80GB', H100), { gpuTypes: ['h100'], slots: null });
    expect(own.lanes).toEqual([{ gpus: ['h100'], device: 1 }]);
    const alias = layOut(gpus(H100, H100), { gpuTypes: ['B200_2'], slots: null });
    expect(alias.lanes.map((lane) => [lane.gpus, lane.device])).toEqual([
      [['B200_2'], 0],
      [['B200_2'], 1],
    ]);
  });

  it('are one with all GPUs where the name says how many, or the machine does not tell', () => {
    const whole = layOut(gpus(H100, H100), { gpuTypes: ['MI300x8'], slots: null });
    expect(whole.lanes).toEqual([{ gpus: ['MI300x8'], device: null }]);
    expect(layOut([], { gpuTypes: ['TPU'], slots: 2 }).lanes).toEqual([
      { gpus: ['TPU'], device: null },
      { gpus: ['TPU'], device: null },
    ]);
  });

  it('of type CPU leave the GPUs of the machine alone', () => {
    const layout = layOut(gpus(H100), { gpuTypes: ['CPU'], slots: 4 });
    expect(layout.lanes).toEqual(Array.from({ length: 4 }, () => ({ gpus: ['CPU'], device: null })));
  });

  it('are never more than GPUs to time on', () => {
    expect(() => layOut(gpus(H100, H100), { gpuTypes: null, slots: 3 })).toThrow(UserError);
    expect(() => layOut(gpus(H100, H100), { gpuTypes: ['H100'], slots: 3 })).toThrow(
      '3 slots were asked for, and there are 2 GPUs',
    );
  });
});
