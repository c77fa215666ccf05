import { afterEach, beforeEach, expect, it } from 'vitest';
import { loadCatalog } from '../../src/catalog/load.ts';
import { CatalogFolder, leastTask } from './catalog-folder.ts';

let folder: CatalogFolder;
beforeEach(async () => {
  folder = await CatalogFolder.make();
});
afterEach(() => folder.remove());

const noTests = leastTask.replace('  - {size: 1, seed: 2}\n', '');
const noBenchmarks = leastTask.slice(0, leastTask.indexOf('benchmarks:'));

it.each([
  ['tests', noTests, 's/p/task.yml:7: tests: there is no case'],
  ['tests that are an empty list', noTests.replace('tests:', 'tests: []'), 's/p/task.yml:7: tests: there is'],
  ['benchmarks', noBenchmarks, 's/p/task.yml:1: benchmarks: there is no case'],
])('a task without %s loads with a warning', async (_, task, warning) => {
  await folder.writeProblem(task);
  const catalog = await loadCatalog(folder.root);
  expect(catalog.faults).toEqual([]);
  expect(catalog.entries).toHaveLength(1);
  expect(catalog.warnings).toEqual([expect.stringContaining(warning)]);
});
