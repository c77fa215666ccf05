/** A table as JSON lines: one object for each row, keys in the order of the columns. */
import { closeSync, openSync, writeSync } from 'node:fs';
import type { Column } from './columns.ts';

export class JsonTable<Row> {
  readonly #columns: Column<Row>[];
  readonly #file: number;

  constructor(path: string, columns: Column<Row>[]) {
    this.#columns = columns;
    this.#file = openSync(path, 'wx', 0o600);
  }

  write(rows: Row[]): void {
    writeSync(this.#file, rows.map((row) => `${JSON.stringify(this.#objectOf(row))}\n`).join(''));
  }

  async finish(): Promise<void> {
    closeSync(this.#file);
  }

  #objectOf(row: Row): Record<string, unknown> {
    return Object.fromEntries(
      this.#columns.map(({ name, of }) => {
        const value = of(row);
        return value instanceof Uint8Array ? bytesEntry(name, value) : [name, value];
      }),
    );
  }
}

/** Archives are submissions too, and no text. */
function bytesEntry(name: string, bytes: Uint8Array): [string, string] {
  try {
    return [name, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)];
  } catch {
    return [`${name}_base64`, Buffer.from(bytes).toString('base64')];
  }
}
