// RPC requests (MS-TDS 2.2.6.6): reads the calls of a message and turns each into a statement with its parameters.
// sp_executesql and the prepared-statement procedures run here; any other procedure becomes an EXEC for the engine.

import procedures from 'tedious/lib/special-stored-procedure.js';
import type { Parameter } from '../session.ts';
import type { Cursor } from './bytes.ts';
import { RequestError, refusal } from './refusal.ts';
import { readTypeInfo } from './type-info.ts';

/** What the wire does with one call, in its order. */
export type Call =
  | {
      readonly kind: 'run';
      readonly sql: string;
      readonly parameters: readonly Parameter[];
      readonly handle?: Parameter;
    }
  | { readonly kind: 'prepared'; readonly handle: Parameter }
  | { readonly kind: 'reset' };

interface RawCall {
  readonly procedure: string;
  readonly parameters: readonly RawParameter[];
}
interface RawParameter extends Parameter {
  readonly isDefault: boolean;
}
interface Prepared {
  readonly sql: string;
  readonly names: readonly string[];
}

const BY_ID = 0xffff;
/** From TDS 7.2 on; 0xfe asks not to run what follows. */
const NEXT_CALL = new Set([0xff, 0xfe]);
const FLAG = { output: 0x01, default: 0x02, encrypted: 0x08 } as const;

// tedious is CommonJS: its default export is typed as a module's, and is the table itself.
const idOf = procedures as unknown as Readonly<Record<string, number>>;
const nameOf = new Map(Object.entries(idOf).map(([name, id]) => [id, name.toLowerCase()]));

/** @throws RequestError for a type or a procedure that is refused. */
export function readCalls(cursor: Cursor): RawCall[] {
  const calls: RawCall[] = [];
  while (!cursor.atEnd) {
    const length = cursor.u16();
    const procedure = length === BY_ID ? specialName(cursor.u16()) : cursor.utf16(length * 2);
    cursor.skip(2);
    const parameters: RawParameter[] = [];
    while (!cursor.atEnd && !NEXT_CALL.has(cursor.peek()!)) parameters.push(readParameter(cursor));
    if (!cursor.atEnd) cursor.u8();
    calls.push({ procedure, parameters });
  }
  return calls;
}

/** The statements that this connection has prepared. */
export class PreparedStatements {
  readonly #statements = new Map<number, Prepared>();
  #last = 0;

  /** @throws RequestError for a handle that is none and for cursors. */
  resolve({ procedure, parameters }: RawCall): Call {
    const [first, second, third] = parameters;
    switch (bareName(procedure)) {
      case 'sp_executesql':
        return run(prepared(first, second), parameters.slice(2));
      case 'sp_prepare':
        return { kind: 'prepared', handle: this.#add(first, prepared(third, second)) };
      case 'sp_prepexec': {
        const statement = prepared(third, second);
        return { ...run(statement, parameters.slice(3)), handle: this.#add(first, statement) };
      }
      case 'sp_execute':
        return run(this.#find(first), parameters.slice(1));
      case 'sp_unprepare':
        this.#find(first);
        this.#statements.delete(Number(first?.value));
        return { kind: 'run', sql: '', parameters: [] };
      case 'sp_reset_connection':
        return { kind: 'reset' };
      default:
        return execute(procedure, parameters);
    }
  }

  #add(handle: RawParameter | undefined, statement: Prepared): Parameter {
    if (handle === undefined) throw refusal('sp_prepare without a handle');
    this.#last += 1;
    this.#statements.set(this.#last, statement);
    return { ...handle, name: handle.name || '@handle', value: String(this.#last) };
  }

  #find(handle: RawParameter | undefined): Prepared {
    const found = this.#statements.get(Number(handle?.value ?? Number.NaN));
    if (found !== undefined) return found;
    throw new RequestError(
      8179,
      `Could not find prepared statement with handle ${handle?.value ?? 'NULL'}.`,
      2,
    );
  }
}

function prepared(sql: Parameter | undefined, declarations: Parameter | undefined): Prepared {
  // Types hold no @, so that every such word is a parameter's name.
  return { sql: sql?.value ?? '', names: declarations?.value?.match(/@[\p{L}\p{N}_$#@]+/gu) ?? [] };
}

function run(
  statement: Prepared,
  values: readonly RawParameter[],
): { kind: 'run'; sql: string; parameters: Parameter[] } {
  const parameters = values.map(({ isDefault: _, ...value }, i) => ({
    ...value,
    name: value.name || (statement.names[i] ?? ''),
  }));
  return { kind: 'run', sql: statement.sql, parameters };
}

function execute(procedure: string, values: readonly RawParameter[]): Call {
  const parameters = values.map((value, i) => ({ ...value, variable: value.name || `@p${i + 1}` }));
  const list = parameters.map(({ name, variable, output, isDefault }) => {
    const value = isDefault ? 'DEFAULT' : output ? `${variable} OUTPUT` : variable;
    return name === '' ? value : `${name} = ${value}`;
  });
  return {
    kind: 'run',
    sql: `EXEC ${procedure} ${list.join(', ')}`.trimEnd(),
    parameters: parameters.map(({ variable, isDefault: _, ...parameter }) => ({
      ...parameter,
      name: variable,
    })),
  };
}

function readParameter(cursor: Cursor): RawParameter {
  const name = cursor.shortText();
  const flags = cursor.u8();
  if (flags & FLAG.encrypted) throw refusal('Always Encrypted');
  const { type, read } = readTypeInfo(cursor);
  const value = read(cursor);
  return { name, type, value, output: (flags & FLAG.output) !== 0, isDefault: (flags & FLAG.default) !== 0 };
}

function bareName(procedure: string): string {
  return procedure
    .replace(/^.*\./, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
}

function specialName(id: number): string {
  const name = nameOf.get(id);
  if (name === undefined || name.startsWith('sp_cursor')) throw refusal(name ?? `procedure number ${id}`);
  return name;
}
