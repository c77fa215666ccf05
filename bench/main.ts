/**
 * `npm run bench -- PART ... [--json FILE] [--check] [--scale NUMBER]`: measures, then claims.
 *
 * Each part prints what it measured beside a baseline from the same run, because absolute times of a busy machine mean
 * little. `--json` writes the rows; `--check` fails where a goal is not met. Without a part, all parts run.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { parts } from './parts.ts';
import type { Row } from './row.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'string' },
    check: { type: 'boolean', default: false },
    scale: { type: 'string' },
  },
});

const unknown = positionals.filter((name) => !parts.some((part) => part.name === name));
if (unknown.length > 0) {
  process.stderr.write(
    `no such part: ${unknown.join(', ')}; there are: ${parts.map((part) => part.name).join(', ')}\n`,
  );
  process.exit(2);
}

const scale = values.scale === undefined ? null : Number(values.scale);
if (scale !== null && !(Number.isInteger(scale) && scale >= 1000)) {
  process.stderr.write('--scale should be a whole number from 1000 on\n');
  process.exit(2);
}

const rows: Row[] = [];
for (const part of parts) {
  if (positionals.length > 0 && !positionals.includes(part.name)) continue;
  process.stdout.write(`\n${part.name}: ${part.about}\n`);
  const measured = await part.measure((text) => process.stdout.write(`  ${text}\n`), { scale });
  for (const row of measured) {
    rows.push(row);
    process.stdout.write(`  ${describe(row)}\n`);
  }
}
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(rows, null, 2)}\n`);
const missed = rows.filter((row) => row.met === false);
if (missed.length > 0) process.stdout.write(`\n${missed.length} goals not met\n`);
if (values.check && missed.length > 0) process.exitCode = 1;

function describe(row: Row): string {
  const beside =
    row.baseline === null
      ? ''
      : `; baseline ${short(row.baseline)} ${row.unit}, ratio ${short(row.ratio ?? Number.NaN)}`;
  const goal = row.goal === null ? '' : `; goal ${row.goal}: ${row.met ? 'met' : 'NOT met'}`;
  return `${row.name}: ${short(row.value)} ${row.unit}${beside}${goal}`;
}

function short(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toPrecision(4);
}
