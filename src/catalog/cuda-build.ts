/** The `config` of a task in CUDA C++: what nvcc is told (problem-format 2.8). */
import { isMap, isScalar } from 'yaml';
import { z } from 'zod';
import type { CudaBuild } from '../domain/task.ts';
import { pythonStr, UnwritableValue } from './python-str.ts';
import { parseYaml, unknownKeys, type YamlFile } from './yaml-file.ts';

const schema = z.looseObject({
  config: z.looseObject({
    sources: z
      .array(z.string(), 'must be a list of file names such as ["eval.cu", "submission.cu"]')
      .min(1, 'must name at least one file'),
    include_dirs: z.array(z.string(), 'must be a list of directories').nullish(),
    defines: z.record(z.string(), z.unknown(), 'must be a map of macro names to values').nullish(),
    compile_flags: z.array(z.string(), 'must be a list of flags').nullish(),
    libraries: z.array(z.string(), 'must be a list of names such as ["cublas"]').nullish(),
  }),
});

/** `names`: every file of the task, the submission's included. Throws CatalogFault. */
export function checkBuild(file: YamlFile, names: string[]): { build: CudaBuild; warnings: string[] } {
  const { config } = parseYaml(file, schema);
  const fault = (key: string, message: string) => file.fault(['config', key], `config.${key}: ${message}`);

  for (const source of config.sources) {
    if (!names.includes(source)) throw fault('sources', `"${source}" is not one of the files`);
  }
  const includeDirs = config.include_dirs ?? [];
  for (const folder of includeDirs) {
    if (!isUsableFolder(folder))
      throw fault('include_dirs', `"${folder}" must lie inside the run's directory or be an absolute path`);
  }
  const libraries = config.libraries ?? [];
  for (const library of libraries) {
    if (!/^[A-Za-z0-9_][A-Za-z0-9_.+-]*$/.test(library))
      throw fault('libraries', `"${library}" is no name of a library`);
  }
  return {
    build: {
      sources: config.sources,
      includeDirs,
      defines: readDefines(file),
      flags: config.compile_flags ?? [],
      libraries,
    },
    warnings: unknownKeys(file, ['config'], Object.keys(schema.shape.config.shape)),
  };
}

/** Values as Python's `str()` writes them; null is a name without a value. */
function readDefines(file: YamlFile): Record<string, string | null> {
  const node: unknown = file.document.getIn(['config', 'defines'], true);
  const defines: Record<string, string | null> = {};
  if (!isMap(node)) return defines;
  for (const pair of node.items) {
    const name = isScalar(pair.key) ? String(pair.key.value) : '';
    const fault = (message: string) => file.faultAt(pair.key, `config.defines: ${message}`);
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw fault(`"${name}" is no name of a macro`);
    const value: unknown = pair.value;
    try {
      const empty = value === null || (isScalar(value) && value.value === null);
      defines[name] = empty ? null : pythonStr(value);
    } catch (error) {
      if (error instanceof UnwritableValue) throw fault(`${name}: ${error.message}`);
      throw error;
    }
  }
  return defines;
}

/** Absolute ones are those of the box; whether they are there shows when it compiles. */
function isUsableFolder(folder: string): boolean {
  return folder !== '' && !folder.split('/').includes('..');
}
