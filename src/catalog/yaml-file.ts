/** Reading a YAML file so that every fault can name file, line and key. */
import { type Alias, type Document, isMap, isNode, LineCounter, parseDocument, visit } from 'yaml';
import type { z } from 'zod';
import { readSourceFile, UnusableFile } from './source-file.ts';

const MAX_YAML_BYTES = 2_000_000;

/** One thing that is wrong with a problem set, as its author should read it. */
export class CatalogFault extends Error {
  constructor(file: string, line: number | null, message: string) {
    super(line === null ? `${file}: ${message}` : `${file}:${line}: ${message}`);
    this.name = 'CatalogFault';
  }
}

export interface YamlFile {
  /** Relative to the problems root, for messages. */
  name: string;
  document: Document.Parsed;
  /** The document's plain value; whole numbers are bigint. */
  value: unknown;
  fault(path: (string | number)[], message: string): CatalogFault;
  faultAt(node: unknown, message: string): CatalogFault;
}

/** `path` inside of `root`, a real path; `name` is what messages call the file. Throws CatalogFault. */
export async function readYaml(root: string, path: string, name: string): Promise<YamlFile> {
  let text: string;
  try {
    text = (await readSourceFile(root, path, MAX_YAML_BYTES)).replace(/^\ufeff/, '');
  } catch (error) {
    if (!(error instanceof UnusableFile)) throw error;
    throw new CatalogFault(name, null, `the file ${error.message}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
  const lineAt = (node: unknown) => {
    const offset = isNode(node) ? node.range?.[0] : undefined;
    return offset === undefined ? null : lines.linePos(offset).line;
  };
  const first = document.errors[0];
  if (first)
    throw new CatalogFault(name, lines.linePos(first.pos[0]).line, `not valid YAML: ${first.message}`);
  if (!isMap(document.contents)) throw new CatalogFault(name, 1, 'must be a map of keys to values');
  return {
    name,
    document,
    value: plainValue(document, (alias, message) => new CatalogFault(name, lineAt(alias), message)),
    fault(path, message) {
      // The deepest node on the path that exists tells the line.
      for (let depth = path.length; depth >= 0; depth--) {
        const line = lineAt(document.getIn(path.slice(0, depth), true));
        if (line !== null) return new CatalogFault(name, line, message);
      }
      return new CatalogFault(name, null, message);
    },
    faultAt: (node, message) => new CatalogFault(name, lineAt(node), message),
  };
}

/** Only aliases keep a document without errors from having a plain value. */
function plainValue(
  document: Document.Parsed,
  fault: (alias: Alias | null, message: string) => CatalogFault,
): unknown {
  let unresolved: Alias | null = null;
  visit(document, {
    Alias(_, alias) {
      if (!alias.resolve(document)) unresolved ??= alias;
    },
  });
  if (unresolved) throw fault(unresolved, 'an alias (*) has no anchor (&) before it');
  try {
    return document.toJS();
  } catch {
    throw fault(null, 'too many aliases (*)');
  }
}

/** Parses the document's plain value with a schema; the first fault is thrown with its line and key. */
export function parseYaml<T extends z.ZodType>(file: YamlFile, schema: T): z.output<T> {
  const plain: unknown = plainNumbers(file.value);
  const parsed = schema.safeParse(plain);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? []).filter((part) => typeof part !== 'symbol');
  const key = path.length > 0 ? `${path.join('.')}: ` : '';
  throw file.fault(path, `${key}${issue?.message ?? 'not as expected'}`);
}

/** Whole numbers are read as bigint, for the sake of the case lines; everything else wants them plain. */
function plainNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(plainNumbers);
  if (value !== null && typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainNumbers(item)]));
  }
  return value;
}

/** A warning for each key of the map at `path` that is not in `known`. */
export function unknownKeys(file: YamlFile, path: (string | number)[], known: string[]): string[] {
  let at: unknown = file.value;
  for (const part of path) at = (at as Record<string | number, unknown>)[part];
  return Object.keys((at ?? {}) as object)
    .filter((key) => !known.includes(key))
    .map((key) => file.fault([...path, key], `unknown key "${key}" is ignored`).message);
}
