// INSERT BULK as COPY FROM STDIN: a chunk of rows becomes one text, written no faster than PostgreSQL takes it.
import type { BulkTarget, ColumnMetadata, Value } from '../session.ts';
import { SqlError, sqlError, Unreadable } from './errors.ts';
import { parseName } from './parse.ts';
import { guarded, type Running, translated, writable } from './run.ts';
import { type ColumnMeta, quote, reference, same, shown } from './scope.ts';
import { type Sight, Watch } from './seen.ts';
import { category } from './types.ts';

const SPECIAL = /[\\\t\n\r]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r' };

type Encode = (value: string) => string;

export async function loadBulk(
  run: Running,
  target: BulkTarget,
  chunks: AsyncIterable<readonly (readonly Value[])[]>,
): Promise<number> {
  return guarded(run, 'INSERT', async () => {
    writable(run);
    const sights = new Map<string, Sight>();
    const { made: table } = await translated(run, null, '', (b) => b.around.table(parseName(target.table)));
    const columns = target.columns.map((c) => {
      const column = table.columns.find((m) => same(m.name, c.name));
      if (!column) throw sqlError(207, c.name);
      return column;
    });
    const watches = columns.map(() => new Watch());
    const encoders = columns.map((c, i) => encoder(c, target.columns[i]!, i, shown(table), watches[i]!));
    const sql = `COPY ${reference(table)} (${columns.map((c) => quote(c.name)).join(',')}) FROM STDIN`;
    let count = 0;
    async function* texts(): AsyncGenerator<string> {
      try {
        for await (const rows of chunks) {
          count += rows.length;
          if (rows.length > 0) yield textOf(rows, encoders);
        }
      } catch (error) {
        throw error instanceof SqlError ? error : new Unreadable('rows of a bulk load', { cause: error });
      }
    }
    await run.state.connection.copyIn(sql, texts());
    for (const [i, c] of columns.entries()) sights.set(c.name, watches[i]!.sight);
    run.state.loaded(table, sights);
    return count;
  });
}

function textOf(rows: readonly (readonly Value[])[], encoders: readonly Encode[]): string {
  let text = '';
  const width = encoders.length;
  for (const row of rows) {
    for (let i = 0; i < width; i++) {
      const value = row[i];
      if (i > 0) text += '\t';
      text += value === null || value === undefined ? '\\N' : encoders[i]!(value);
    }
    text += '\n';
  }
  return text;
}

/** How a column's values are written for COPY. Throws 4815 for a value longer than its column. */
function encoder(
  column: ColumnMeta,
  sent: ColumnMetadata,
  index: number,
  table: string,
  watch: Watch,
): Encode {
  const { type } = column;
  switch (category(type)) {
    case 'string': {
      const limit =
        type.length === 'max' || type.length === undefined ? Number.POSITIVE_INFINITY : type.length;
      const announced =
        typeof sent.type.length === 'number' && category(sent.type) === 'string'
          ? sent.type.length
          : Number.POSITIVE_INFINITY;
      const fixed = type.name === 'char' || type.name === 'nchar';
      return (value) => {
        if (value.length > limit && value.trimEnd().length > limit) {
          if (announced > limit) throw sqlError(2628, table, column.name, value.slice(0, limit));
          throw sqlError(4815, index + 1);
        }
        const kept = value.length > limit ? value.slice(0, limit) : fixed ? value.padEnd(limit) : value;
        watch.see(kept);
        return SPECIAL.test(kept) ? kept.replace(/[\\\t\n\r]/g, (c) => ESCAPES[c]!) : kept;
      };
    }
    case 'binary': {
      const limit =
        type.length === 'max' || type.length === undefined ? Number.POSITIVE_INFINITY : type.length;
      return (value) => {
        if ((value.length - 2) / 2 > limit) throw sqlError(4815, index + 1);
        return `\\${value}`;
      };
    }
    default:
      return (value) => value;
  }
}
