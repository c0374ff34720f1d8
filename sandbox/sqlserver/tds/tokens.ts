// Tokens that say something of the session, not of rows: messages, ENVCHANGE, LOGINACK, RETURNVALUE (MS-TDS 2.2.7).
// Each writes behind its token byte.

import type { ColumnMetadata, Parameter, SqlMessage } from '../session.ts';
import type { Writer } from './bytes.ts';
import { type Codec, codecOf } from './types.ts';

/** MS-TDS 2.2.7.9. */
export const ENVIRONMENT = {
  database: 1,
  language: 2,
  packetSize: 4,
  collation: 7,
  begin: 8,
  commit: 9,
  rollback: 10,
  reset: 18,
} as const;
/** Big-endian here, unlike in LOGIN7. */
const TDS_7_4 = Uint8Array.of(0x74, 0, 0, 4);
const FLAG = { nullable: 0x01, identity: 0x10 } as const;
const SERVER_NAME = 'walbridge-sandbox';

export function writeColumns(
  out: Writer,
  columns: readonly ColumnMetadata[],
  codecs: readonly Codec[],
): void {
  out.u16(columns.length);
  columns.forEach((column, i) => {
    out.u32(0);
    out.u16((column.nullable ? FLAG.nullable : 0) | (column.identity ? FLAG.identity : 0));
    out.raw(codecs[i]!.info);
    out.shortText(column.name);
  });
}

/** INFO and ERROR. */
export function writeMessage(out: Writer, message: SqlMessage): void {
  out.counted(() => {
    out.i32(message.number);
    out.u8(message.state);
    out.u8(message.class);
    out.text(message.message);
    out.shortText(SERVER_NAME);
    out.shortText(message.procedure ?? '');
    out.i32(message.line);
  });
}

/** ENVCHANGE: its values are texts, or bytes. */
export function writeEnvironment<V extends string | Uint8Array>(
  out: Writer,
  type: number,
  value: V,
  previous: V,
): void {
  out.counted(() => {
    out.u8(type);
    for (const each of [value, previous]) {
      if (typeof each === 'string') out.shortText(each);
      else {
        out.u8(each.length);
        out.raw(each);
      }
    }
  });
}

export function writeLoginAcknowledgement(out: Writer): void {
  out.counted(() => {
    out.u8(1);
    out.raw(TDS_7_4);
    out.shortText(SERVER_NAME);
    out.u32(16);
  });
}

export function writeReturnValue(out: Writer, parameter: Parameter, ordinal: number): void {
  const codec = codecOf(parameter.type);
  out.u16(ordinal);
  out.shortText(parameter.name);
  out.u8(1);
  out.u32(0);
  out.u16(FLAG.nullable);
  out.raw(codec.info);
  if (parameter.value === null) codec.writeNull(out);
  else codec.write(out, parameter.value);
}

export function notice(number: number, state: number, message: string): SqlMessage {
  return { number, state, class: 0, message, line: 1 };
}
