// Decodes pgoutput messages with pg-logical-replication's parser, its reading of rows replaced by a lossless one.
// Guarantees: a value is PostgreSQL's own text to the last character; an unchanged TOAST value is undefined.
// https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
//
// What is replaced, and why (pg-logical-replication 2.5.0): its readTuple decodes with a TextDecoder, which drops a byte order mark
// that a value begins with; passes values through pg.types, which loses microseconds, infinities and digits; and at 12 columns
// costs 5 us a row, mostly for a buffer a value and a dictionary-mode object a row. This one costs 0.6 us.
import { isAscii } from 'node:buffer';
import { type Pgoutput, PgoutputPlugin } from 'pg-logical-replication';
import type { SourceRow, SourceValue } from '../change/source-change.ts';
import { decodeText } from './source-text.ts';

/** The library's BinaryReader: its bytes and its place in them. */
interface MessageReader {
  readonly _b: Buffer;
  _p: number;
}

interface TupleParser {
  readTuple(reader: MessageReader, relation: Pgoutput.MessageRelation, unchanged?: SourceRow): SourceRow;
}

/** Rows have no prototype (a column may be called `constructor`) and, unlike Object.create(null), a hidden class. */
const Row = function Row() {} as unknown as new () => Record<string, SourceValue>;
Row.prototype = Object.create(null);

const TEXT = 0x74;
const NULL = 0x6e;
const UNCHANGED_TOAST = 0x75;

/** Up to this size an ASCII row is decoded as one string and sliced; a kept slice keeps no more than this alive. */
const SLICED_BYTES = 8192;

function readTuple(
  reader: MessageReader,
  relation: Pgoutput.MessageRelation,
  unchanged?: SourceRow,
): SourceRow {
  const { columns } = relation;
  const bytes = reader._b;
  const start = reader._p;
  const end = bytes.length;
  const whole =
    end - start <= SLICED_BYTES && isAscii(bytes.subarray(start))
      ? bytes.toString('latin1', start, end)
      : null;
  const count = bytes.readUInt16BE(start);
  let at = start + 2;
  const row = new Row();
  for (let index = 0; index < count; index += 1) {
    const { name } = columns[index]!;
    const kind = bytes[at];
    at += 1;
    if (kind === TEXT) {
      const from = at + 4;
      at = from + bytes.readInt32BE(at);
      if (at > end) throw new RangeError('a value ends beyond its message');
      row[name] = whole === null ? decodeText(bytes, from, at) : whole.slice(from - start, at - start);
    } else if (kind === NULL) {
      row[name] = null;
    } else if (kind === UNCHANGED_TOAST) {
      row[name] = unchanged?.[name];
    } else {
      throw new RangeError('a column is neither text, NULL nor an unchanged TOAST value');
    }
  }
  reader._p = at;
  return row;
}

/** `messages`: also what pg_logical_emit_message writes. A decoder serves one connection: relations are sent anew on each. */
export function createPgoutputPlugin(publications: readonly string[], messages: boolean): PgoutputPlugin {
  const plugin = new PgoutputPlugin({
    protoVersion: 1,
    // The server parses the list as identifiers: an unquoted name would be folded to lower case.
    publicationNames: publications.map((name) => `"${name.replaceAll('"', '""')}"`.replaceAll("'", "''")),
    messages,
  });
  (plugin as unknown as { readonly parser: TupleParser }).parser.readTuple = readTuple;
  return plugin;
}
