/**
 * Plain words that mean one thing in YAML 1.2, which is read here, and another in the YAML 1.1 of other platforms:
 * `yes` is a text or True, `1_000` a text or a number, `1e3` a number or a text.
 */
import { type Node, Scalar, visit } from 'yaml';

const differently = [
  /^(yes|no|on|off)$/i,
  // Octal, binary and base 60.
  /^[-+]?0[0-7_]+$/,
  /^[-+]?0[bo][0-7_]+$/,
  /^[-+]?\d[\d_]*(:[0-5]?\d)+(\.\d*)?$/,
  /^[-+]?\d[\d_]*_[\d_]*(\.[\d_]*)?$/,
  // 1.1 as it is spoken wants a point and a sign in the exponent.
  /^[-+]?\d+e[-+]?\d+$/i,
  /^[-+]?(\d+\.\d*|\.\d+)e\d+$/i,
];

/** The first such word among the values below a node, or null. */
export function findAmbiguousWord(node: Node): Scalar | null {
  let found: Scalar | null = null;
  visit(node, {
    Scalar(key, scalar) {
      const plain = scalar.type === Scalar.PLAIN && key !== 'key';
      if (!plain || !differently.some((pattern) => pattern.test(scalar.source ?? ''))) return undefined;
      found = scalar;
      return visit.BREAK;
    },
  });
  return found;
}
