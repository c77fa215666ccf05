/** A table as a Parquet file: a row group for each page that is written. */
import type { SchemaElement } from 'hyparquet';
import { fileWriter, ParquetWriter } from 'hyparquet-writer';
import type { Column, ColumnKind } from './columns.ts';

const elements: Record<ColumnKind, Omit<SchemaElement, 'name'>> = {
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8' },
  int: { type: 'INT64' },
  number: { type: 'DOUBLE' },
  flag: { type: 'BOOLEAN' },
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
  bytes: { type: 'BYTE_ARRAY' },
};

export class ParquetTable<Row> {
  readonly #columns: Column<Row>[];
  readonly #writer: ParquetWriter;

  constructor(path: string, columns: Column<Row>[]) {
    this.#columns = columns;
    this.#writer = new ParquetWriter({
      writer: fileWriter(path),
      schema: [
        { name: 'root', num_children: columns.length },
        ...columns.map(({ name, kind }) => ({
          name,
          repetition_type: 'OPTIONAL' as const,
          ...elements[kind],
        })),
      ],
    });
  }

  write(rows: Row[]): void {
    const cellOf = ({ kind, of }: Column<Row>, row: Row) => {
      const value = of(row);
      return kind === 'int' && value !== null ? BigInt(value as number) : value;
    };
    const columnData = this.#columns.map((column) => ({
      name: column.name,
      data: rows.map((row) => cellOf(column, row)),
    }));
    this.#writer.write({ columnData });
  }

  async finish(): Promise<void> {
    this.#writer.finish();
  }
}
