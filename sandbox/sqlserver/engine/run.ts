// Runs one statement: translated, guarded by a savepoint where only the statement may be undone, its rows sent to the client.

import type { ColumnMetadata, ResultSink, SqlType, Value } from '../session.ts';
import type { Body, Name, Of, Query, SelectItem, Statement } from './ast.ts';
import { type BoundChange, bindDelete, bindInsert, bindUpdate } from './change.ts';
import { constant } from './constant.ts';
import * as define from './define.ts';
import { SqlError, sqlError, unsupported } from './errors.ts';
import { knownTo } from './evaluate.ts';
import type { Binder, BoundQuery, QueryColumn } from './expression.ts';
import type { TakeRow } from './pipeline.ts';
import { namedColumns } from './query.ts';
import { quote, reference, shown } from './scope.ts';
import { sessionValue } from './session-value.ts';
import type { Frame, State } from './state.ts';
import { type Translation, translate } from './translation.ts';

/** Errors that end the batch and the transaction even with XACT_ABORT OFF: failed conversions, a deadlock. */
const BATCH_ABORTING = new Set([235, 241, 242, 244, 245, 248, 295, 517, 1205, 3960, 8114, 8169]);
/** Errors that end the batch but leave the transaction. */
const SCOPE_ABORTING = new Set([207, 208, 209, 4104]);

export interface Running {
  readonly state: State;
  readonly frame: Frame;
  readonly sink: ResultSink;
  readonly cancel: AbortSignal;
  /** How many TRY blocks surround the statement. */
  tries: number;
  /** Lines of the batch before the part of it that the statement's lines count in. */
  before: number;
  /** The statement's change, where it was sent before its turn: its count comes. */
  sent: Promise<number> | undefined;
}

export type Change = Of<'insert' | 'update' | 'delete'>;

export class EndOfBatch extends Error {}

/** Runs `work`; a failure leaves the transaction as SQL Server would. Throws SqlError, with `line` unset, or Cancelled. */
export async function guarded<T>(run: Running, verb: string, work: () => Promise<T>): Promise<T> {
  const { state, sink } = run;
  const { transaction } = state;
  await state.applyTimeout();
  const savepoint = transaction.live && !state.xactAbort;
  if (savepoint) await state.connection.script('SAVEPOINT _statement');
  try {
    const result = await work();
    if (savepoint && transaction.live) await state.connection.script('RELEASE SAVEPOINT _statement');
    return result;
  } catch (thrown) {
    const error = state.failure(thrown, verb);
    const isSql = error instanceof SqlError;
    if (state.xactAbort || (isSql && BATCH_ABORTING.has(error.number)))
      await transaction.fail(sink, run.tries > 0 && isSql);
    else if (savepoint && transaction.live)
      await state.connection.script('ROLLBACK TO SAVEPOINT _statement; RELEASE SAVEPOINT _statement');
    throw error;
  }
}

/** Whether the rest of the batch is given up after `error`, outside of TRY. */
export function endsBatch(error: SqlError, xactAbort: boolean): boolean {
  return (
    xactAbort || BATCH_ABORTING.has(error.number) || SCOPE_ABORTING.has(error.number) || error.class >= 20
  );
}

/** `tree`, where the translation may be remembered by it; `as`, what else it hangs on. */
export function translated<T>(
  run: Running,
  tree: object | null,
  as: string,
  make: (binder: Binder) => T,
): Promise<Translation<T>> {
  return run.state.translate(() => translate(run.state.surroundings(run.frame), tree, as, make));
}

export function parametersOf(run: Running, { parameters }: Translation<unknown>): Value[] {
  return parameters.map((p) => sessionValue(run.state, run.frame, p));
}

/** Runs a translated statement and hands its rows over. */
const stream = (
  run: Running,
  translation: Translation<unknown>,
  sql: string,
  take: TakeRow,
): Promise<number> => run.state.connection.run(sql, parametersOf(run, translation), take);

function metadata(columns: readonly QueryColumn[]): ColumnMetadata[] {
  return columns.map((c) => ({
    name: c.name,
    type: c.type,
    nullable: c.nullable,
    ...(c.identity && { identity: true }),
  }));
}

async function send(run: Running, translation: Translation<unknown>, bound: BoundQuery): Promise<number> {
  await run.sink.columns(metadata(bound.columns));
  return stream(run, translation, bound.sql, (row) => run.sink.row(row));
}

export function finish(run: Running, count: number | null): void {
  run.state.rowcount = count ?? 0;
  run.sink.done(run.state.nocount ? null : count);
}

export async function runQuery(run: Running, query: Query): Promise<void> {
  const first = leftmost(query.body);
  if (first?.into) return selectInto(run, query, first.into);
  const names = first?.items.map((i) => i.variable) ?? [];
  if (names.some((n) => n !== null)) return assignVariables(run, query, names);
  const count = await guarded(run, 'SELECT', async () => {
    const translation = await translated(run, query, '', (b) => b.query(query, null));
    const { made } = translation;
    const row = first ? constantRow(run, query, first, made.columns) : null;
    if (row) {
      await run.sink.columns(metadata(made.columns));
      await run.sink.row(row);
      return 1;
    }
    return send(run, translation, made);
  });
  finish(run, count);
}

/** Under SET FMTONLY ON: the columns of a query, without its rows. */
export async function describe(run: Running, s: Statement): Promise<void> {
  const first = s.k === 'query' ? leftmost(s.query.body) : null;
  if (s.k !== 'query' || first?.into || first?.items.some((i) => i.variable !== null))
    throw unsupported('SET FMTONLY ON before anything but a query');
  const { made } = await translated(run, s.query, '', (b) => b.query(s.query, null));
  await run.sink.columns(metadata(made.columns));
  finish(run, 0);
}

/** The one row of a SELECT of constants. */
function constantRow(
  run: Running,
  query: Query,
  { items, from, where, group, having, top }: Extract<Body, { k: 'select' }>,
  columns: readonly QueryColumn[],
): Value[] | null {
  if (query.body.k !== 'select' || from || where || having || top || group.length > 0 || query.offset)
    return null;
  const row = items.map((item, i) => constant(item.e, columns[i]!.type, knownTo(run)));
  return row.every((value) => value !== undefined) ? row : null;
}

function leftmost(body: Body): Extract<Body, { k: 'select' }> | null {
  if (body.k === 'set') return leftmost(body.l);
  return body.k === 'select' ? body : null;
}

async function assignVariables(run: Running, query: Query, names: readonly (string | null)[]): Promise<void> {
  if (names.includes(null)) throw sqlError(141);
  const body = query.body as Extract<Body, { k: 'select' }>;
  const typed = (b: Binder): BoundQuery => {
    const items = body.items.map((item): SelectItem => {
      const type = b.around.variable(item.variable!);
      if (!type) throw sqlError(137, item.variable!);
      return { ...item, e: { k: 'cast', e: item.e, type, style: null, attempt: false } };
    });
    return b.query({ ...query, body: { ...body, items } }, null);
  };
  let last: Value[] | undefined;
  run.state.rowcount = await guarded(run, 'SELECT', async () => {
    const translation = await translated(run, query, 'assigned', typed);
    return stream(run, translation, translation.made.sql, (row) => {
      last = row;
      return undefined;
    });
  });
  if (last) for (const [i, name] of names.entries()) variable(run, name!).value = last[i] ?? null;
}

export function variable(run: Running, name: string): { type: SqlType; value: Value } {
  const found = run.frame.variables.get(name.toLowerCase());
  if (!found) throw sqlError(137, name);
  return found;
}

async function selectInto(run: Running, query: Query, into: readonly string[]): Promise<void> {
  const count = await guarded(run, 'INSERT', async () => {
    writable(run);
    const translation = await translated(run, query, '', (b) => b.query(query, null));
    const { made } = translation;
    if (run.frame.isProcedure && into.at(-1)!.startsWith('#')) run.frame.tables.add(into.at(-1)!);
    const [schema, name] = [define.schemaOf(into), into.at(-1)!];
    const parts = { columns: define.columnsInto(namedColumns(made.columns)), constraints: [] };
    const table = await translated(run, null, '', (b) => define.createTable(b, schema, name, parts));
    await run.state.connection.script(table.made);
    const list = parts.columns.map((c) => quote(c.name)).join(',');
    const sql = `INSERT INTO ${quote(schema)}.${quote(name)} (${list}) ${made.sql}`;
    return stream(run, translation, sql, () => undefined);
  });
  run.state.defined();
  finish(run, count);
}

export function writable(run: Running): void {
  if (run.state.transaction.doomed) throw sqlError(3930);
}

export function translateChange(run: Running, change: Change): Promise<Translation<BoundChange>> {
  return translated(run, change, '', (binder) => {
    if (change.k === 'insert') return bindInsert(binder, change);
    return change.k === 'update' ? bindUpdate(binder, change) : bindDelete(binder, change);
  });
}

/** Takes the identity values that a change gives out. */
export const takeIdentity =
  (run: Running, { identities }: BoundChange): TakeRow =>
  (row) => {
    if (identities) run.state.identity = row[0] ?? null;
    return undefined;
  };

export async function runChange(run: Running, change: Change): Promise<void> {
  const { sent } = run;
  run.sent = undefined;
  const count = await guarded(run, change.k.toUpperCase(), async () => {
    writable(run);
    if (sent) return sent;
    const translation = await translateChange(run, change);
    const { made } = translation;
    for (const write of translation.writes) run.state.written(write);
    if (made.columns) return send(run, translation, { sql: made.sql, columns: made.columns });
    return stream(run, translation, made.sql, takeIdentity(run, made));
  });
  finish(run, count);
}

/** A definition: one script of PostgreSQL statements, undone as one. */
export async function runDefinition(
  run: Running,
  make: (binder: Binder) => string,
  own?: Parameters<State['defined']>[0],
  tree: object | null = null,
): Promise<void> {
  await guarded(run, 'ALTER TABLE', async () => {
    writable(run);
    const { made, parameters } = await translated(run, tree, 'definition', make);
    if (parameters.length > 0) throw sqlError(137, 'a variable in a definition');
    if (made) await run.state.connection.script(made);
  });
  run.state.defined(own);
  finish(run, null);
}

export async function runTruncate(run: Running, name: Name): Promise<void> {
  await guarded(run, 'TRUNCATE', async () => {
    writable(run);
    const { made } = await translated(run, null, '', (b) => b.around.table(name));
    try {
      await run.state.connection.script(`TRUNCATE ${reference(made)} RESTART IDENTITY`);
    } catch (error) {
      if ((error as { code?: string }).code !== '0A000') throw error;
      throw sqlError(4712, shown(made));
    }
  });
  finish(run, null);
}
