/**
 * A test case as the harness reads it: `key: value` joined with `; ` in the order of the YAML map, each value as
 * Python's `str()` writes it (problem-format 2.2). The text is part of the problem: `has_bias: False` reaches some
 * public harnesses as a truthy string, and a list needs its blanks: `[96, 128, 160]`.
 */
import { isMap, isScalar, isSeq, type Node, type Scalar } from 'yaml';

/** Thrown with a sentence; `node` is where. */
export class CaseError extends Error {
  readonly node: Node | null;
  constructor(message: string, node: Node | null) {
    super(message);
    this.name = 'CaseError';
    this.node = node;
  }
}

export interface CaseLine {
  text: string;
  /** The case's `world_size`, which multi-GPU problems must give. */
  worldSize: number | null;
}

export function caseLine(node: unknown): CaseLine {
  if (!isMap(node)) throw new CaseError('a case must be a map such as {size: 128, seed: 5}', asNode(node));
  const parts: string[] = [];
  let worldSize: number | null = null;
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : null;
    if (key === null || !/^[A-Za-z0-9_]+$/.test(key)) {
      throw new CaseError('a case key must be letters, digits and _', asNode(pair.key));
    }
    const text = pythonStr(pair.value);
    if (/[;\n\r]/.test(text)) {
      throw new CaseError(`the value of ${key} must not contain ";" or a line break`, asNode(pair.value));
    }
    if (key === 'world_size' && /^\d+$/.test(text)) worldSize = Number(text);
    parts.push(`${key}: ${text}`);
  }
  if (parts.length === 0) throw new CaseError('a case must have at least one key', node);
  return { text: parts.join('; '), worldSize };
}

function asNode(value: unknown): Node | null {
  return isScalar(value) || isMap(value) || isSeq(value) ? value : null;
}

/** Python's `str()` of a YAML value: a string as it is, everything inside a container as `repr()` has it. */
function pythonStr(value: unknown): string {
  if (isScalar(value) && typeof value.value === 'string') return value.value;
  return pythonRepr(value);
}

function pythonRepr(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (isSeq(value)) return `[${value.items.map(pythonRepr).join(', ')}]`;
  if (isMap(value)) {
    return `{${value.items.map((pair) => `${pythonRepr(pair.key)}: ${pythonRepr(pair.value)}`).join(', ')}}`;
  }
  if (isScalar(value)) return scalarRepr(value);
  throw new CaseError('an alias cannot be a case value', null);
}

function scalarRepr(scalar: Scalar): string {
  const { value } = scalar;
  if (value === null) return 'None';
  // Whole numbers are bigint (intAsBigInt), so a number is a Python float.
  switch (typeof value) {
    case 'boolean':
      return value ? 'True' : 'False';
    case 'bigint':
      return value.toString();
    case 'number':
      return pythonFloat(value);
    case 'string':
      return pythonQuoted(value);
    default:
      throw new CaseError(`a case value cannot be ${typeof value}`, scalar);
  }
}

/**
 * `repr(float)`: the same shortest digits as JavaScript's, in exponent form below 1e-4 and from 1e16 on, with at least
 * two exponent digits and always a point or an exponent.
 */
export function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) {
    const sign = exponent < 0 ? '-' : '+';
    return `${mantissa}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  const negative = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${negative}0.${'0'.repeat(-exponent - 1)}${digits}`;
  if (digits.length <= exponent + 1) return `${negative}${digits.padEnd(exponent + 1, '0')}.0`;
  return `${negative}${digits.slice(0, exponent + 1)}.${digits.slice(exponent + 1)}`;
}

/**
 * `repr(str)`: single quotes, double ones where the text has a single quote and no double one; what is not printable
 * (control and format characters, separators but the blank, unassigned ones) as an escape.
 */
function pythonQuoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll(quote, `\\${quote}`)
    .replace(/(?! )[\p{C}\p{Z}]/gu, escapedChar);
  return quote + escaped + quote;
}

const shortEscapes: Record<string, string> = { '\n': '\\n', '\t': '\\t', '\r': '\\r' };

function escapedChar(char: string): string {
  const point = char.codePointAt(0) ?? 0;
  const [letter, digits] =
    point <= 0xff ? (['x', 2] as const) : point <= 0xffff ? (['u', 4] as const) : (['U', 8] as const);
  return shortEscapes[char] ?? `\\${letter}${point.toString(16).padStart(digits, '0')}`;
}
