/**
 * Values of a YAML document as Python's `str()` writes them: a string as it is, everything inside a container as
 * `repr()` has it.
 */
import { isMap, isScalar, isSeq, type Node, type Scalar } from 'yaml';

/** Thrown with a sentence; `node` is where. */
export class UnwritableValue extends Error {
  readonly node: Node | null;
  constructor(message: string, node: Node | null) {
    super(message);
    this.name = 'UnwritableValue';
    this.node = node;
  }
}

/** Whole numbers must be read as bigint (`intAsBigInt`), so that a number is a Python float. Throws UnwritableValue. */
export function pythonStr(value: unknown): string {
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
  throw new UnwritableValue('an alias (*) cannot be a value', null);
}

function scalarRepr(scalar: Scalar): string {
  const { value } = scalar;
  if (value === null) return 'None';
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
      throw new UnwritableValue(`a value cannot be ${typeof value}`, scalar);
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
