/**
 * A test case as the harness reads it: `key: value` joined with `; ` in the order of the YAML map, each value as
 * Python's `str()` writes it (problem-format 2.2). The text is part of the problem: `has_bias: False` reaches some
 * public harnesses as a truthy string, and a list needs its blanks: `[96, 128, 160]`.
 */
import { isMap, isScalar, isSeq, type Node } from 'yaml';
import { pythonStr, UnwritableValue } from './python-str.ts';

/** Between cases or their parts, or where a harness in Python may end a line: `str.splitlines()` knows these ends. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const SEPARATOR = /[;\n\r\v\f\u0000\u001c-\u001e\u0085\u2028\u2029]/;

export interface CaseLine {
  text: string;
  /** The case's `world_size`, which multi-GPU problems must give. */
  worldSize: number | null;
}

/** Throws UnwritableValue for what cannot be written, or not be read back. */
export function caseLine(node: unknown): CaseLine {
  if (!isMap(node))
    throw new UnwritableValue('a case must be a map such as {size: 128, seed: 5}', asNode(node));
  const parts: string[] = [];
  let worldSize: number | null = null;
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : null;
    if (key === null || !/^[A-Za-z0-9_]+$/.test(key)) {
      throw new UnwritableValue('a case key must be letters, digits and _', asNode(pair.key));
    }
    const text = pythonStr(pair.value);
    if (SEPARATOR.test(text)) {
      throw new UnwritableValue(
        `the value of ${key} must not contain ";" or a line break`,
        asNode(pair.value),
      );
    }
    if (key === 'world_size' && /^[1-9]\d{0,3}$/.test(text)) worldSize = Number(text);
    parts.push(`${key}: ${text}`);
  }
  if (parts.length === 0) throw new UnwritableValue('a case must have at least one key', node);
  return { text: parts.join('; '), worldSize };
}

function asNode(value: unknown): Node | null {
  return isScalar(value) || isMap(value) || isSeq(value) ? value : null;
}
