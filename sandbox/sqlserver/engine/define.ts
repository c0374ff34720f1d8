// Definitions of tables and views to PostgreSQL: CREATE, ALTER, SELECT … INTO. Pure: text in, text out.
import type { ColumnDefinition, Constraint, Name, Of } from './ast.ts';
import { assign } from './convert.ts';
import { collateOf, columnLine, columnMeta, comment, withComputed } from './define-column.ts';
import { addConstraint, generated } from './define-key.ts';
import { sqlError, unsupported } from './errors.ts';
import type { Binder, QueryColumn } from './expression.ts';
import {
  type ColumnMeta,
  type KeyMeta,
  quote,
  reference,
  Scope,
  same,
  shown,
  type TableMeta,
  text,
} from './scope.ts';
import { pgType } from './types.ts';

type Parts = { columns: readonly ColumnDefinition[]; constraints: readonly Constraint[] };

/** The table as the catalog would show it; null where only the catalog knows. */
export function plainTable(schema: string, name: string, parts: Parts): TableMeta | null {
  const plain = parts.columns.every((c) => !c.computed && !c.default && !c.identity);
  if (!plain || parts.constraints.length > 0) return null;
  const columns = parts.columns.map((c) => columnMeta(c, c.nullable !== false));
  return { schema, name, kind: 'table', columns, keys: [] };
}

export function createTable(binder: Binder, schema: string, name: string, parts: Parts): string {
  const bare: TableMeta = { schema, name, kind: 'table', columns: [], keys: [] };
  const primary = parts.constraints.find((c) => c.k === 'key' && c.primary);
  const isKey = (c: ColumnDefinition): boolean =>
    primary?.k === 'key' && primary.columns.some((p) => same(p, c.name));
  const metas = parts.columns.map((c) =>
    columnMeta(c, !(c.nullable === false || (c.nullable === null && isKey(c)) || c.identity)),
  );
  const constraints = parts.constraints.map((c) =>
    c.k === 'key' ? { ...c, name: c.name ?? generated(c.primary ? 'PK' : 'UQ', name) } : c,
  );
  const table: TableMeta = {
    ...withComputed(binder, { ...bare, columns: metas }, parts.columns),
    keys: constraints.flatMap((c) => (c.k === 'key' ? [keyOf(c)] : [])),
  };
  const columns = table.columns.map((meta, i) => withDefault(binder, meta, parts.columns[i]!, name));
  const repeated = metas.find((m, i) => metas.findIndex((n) => same(n.name, m.name)) < i);
  if (repeated) throw sqlError(2705, repeated.name, name);
  const wide =
    primary?.k === 'key'
      ? primary.columns.find((p) => table.columns.find((c) => same(c.name, p))?.nullable)
      : undefined;
  if (wide !== undefined) throw sqlError(8111, name);
  const lines = parts.columns.map((c, i) => columnLine(binder, c, table.columns[i]!, table, true));
  const temporary = schema === 'pg_temp' ? 'TEMPORARY ' : '';
  // A foreign key may refer to a key of the table itself.
  const foreign = constraints.filter((c) => c.k === 'foreign');
  const after = [...constraints.filter((c) => c.k !== 'foreign'), ...foreign].map((c) =>
    addConstraint(binder, c, table),
  );
  return [
    `CREATE ${temporary}TABLE ${schema === 'pg_temp' ? quote(name) : reference(table)} (${lines.join(', ')})`,
    ...columns.map((c) => comment(table, c)),
    ...after,
  ].join(';\n');
}

function keyOf(key: Extract<Constraint, { k: 'key' }> & { name: string }): KeyMeta {
  return {
    pg: key.name,
    name: key.name,
    kind: key.primary ? 'PK' : 'UQ',
    column: key.columns.join(','),
    immediate: false,
  };
}

function withDefault(
  binder: Binder,
  meta: ColumnMeta,
  { default: preset }: ColumnDefinition,
  table: string,
): ColumnMeta {
  if (!preset) return meta;
  const shownText = binder.scalar(preset.e, new Scope(null)).sql;
  const note = { ...meta.note, default: { name: preset.name ?? generated('DF', table), text: shownText } };
  return { ...meta, note };
}

/** The columns of the table that SELECT … INTO creates. */
export const columnsInto = (columns: readonly QueryColumn[]): ColumnDefinition[] =>
  columns.map((c) => ({
    name: c.name,
    type: c.type,
    nullable: c.nullable,
    collation: c.collation === 'binary' ? 'Latin1_General_BIN2' : null,
    identity: c.identity ? { seed: '1', step: '1' } : null,
    default: null,
    computed: null,
  }));

export function addColumns(binder: Binder, add: Of<'addColumns'>): string {
  const before = binder.around.table(add.table);
  const metas = add.columns.map((c) => columnMeta(c, c.nullable !== false && !c.identity));
  const clash = metas.find((m) => before.columns.some((c) => same(c.name, m.name)));
  if (clash) throw sqlError(2705, clash.name, shown(before));
  const table = withComputed(binder, { ...before, columns: [...before.columns, ...metas] }, add.columns);
  const lines = add.columns.flatMap((c) => {
    const meta = table.columns.find((m) => m.name === c.name)!;
    // SQL Server leaves a nullable column NULL in the rows that are there; its default is for later ones.
    const later = c.default && meta.nullable;
    const list = [
      `ALTER TABLE ${reference(table)} ADD COLUMN ${columnLine(binder, c, meta, table, !later)}`,
      comment(table, meta),
    ];
    if (c.default)
      list.push(
        addConstraint(binder, { k: 'default', name: c.default.name, column: c.name, e: c.default.e }, table),
      );
    return list;
  });
  return [...lines, ...add.constraints.map((c) => addConstraint(binder, c, table))].join(';\n');
}

export function alterColumn(binder: Binder, alter: Of<'alterColumn'>): string {
  const table = binder.around.table(alter.table);
  const old = table.columns.find((c) => same(c.name, alter.column.name));
  if (!old) throw sqlError(4924, 'ALTER COLUMN', alter.column.name, table.name);
  if (alter.column.default || alter.column.identity) throw sqlError(102, 'DEFAULT');
  const fresh = columnMeta(alter.column, alter.column.nullable !== false);
  const meta: ColumnMeta = {
    ...fresh,
    name: old.name,
    identity: old.identity,
    note: { ...fresh.note, ...(old.note.default && { default: old.note.default }) },
  };
  const value = assign(
    { sql: quote(old.name), type: old.type, nullable: true, collation: old.collation },
    meta,
    table,
  );
  const place = `ALTER TABLE ${reference(table)} ALTER COLUMN ${quote(old.name)}`;
  return `${place} TYPE ${pgType(meta.type)}${collateOf(meta)} USING ${value};\n${place} ${meta.nullable ? 'DROP' : 'SET'} NOT NULL;\n${comment(table, meta)}`;
}

export function dropColumns(binder: Binder, drop: Of<'dropColumns'>): string {
  const table = binder.around.table(drop.table);
  const sql: string[] = [];
  for (const name of drop.columns) {
    const column = table.columns.find((c) => same(c.name, name));
    if (!column && drop.ifExists) continue;
    if (!column) throw sqlError(4924, 'DROP COLUMN', name, table.name);
    sql.push(`ALTER TABLE ${reference(table)} DROP COLUMN ${quote(column.name)}`);
  }
  return sql.join(';\n');
}

export function dropConstraints(binder: Binder, drop: Of<'dropConstraints'>): string {
  const table = binder.around.table(drop.table);
  const keys = drop.names.flatMap((name) => {
    if (table.columns.some((c) => same(c.note.default?.name ?? '', name)))
      throw unsupported('DROP CONSTRAINT of a default');
    const key = table.keys.find((k) => same(k.name, name) && k.kind !== 'IX');
    if (!key && !drop.ifExists) throw sqlError(3728, name);
    return key ?? [];
  });
  return keys.map((k) => `ALTER TABLE ${reference(table)} DROP CONSTRAINT ${quote(k.pg)}`).join(';\n');
}

export function createView(binder: Binder, view: Of<'createView'>): string {
  const [name, schema] = [view.name.at(-1)!, view.name.at(-2) || 'dbo'];
  const bound = binder.query(view.query, null);
  if (binder.parameters.length > 0) throw unsupported('a view over variables or session functions');
  const names = bound.columns.map((c, i) => view.columns[i] ?? c.name);
  const place = `${quote(schema)}.${quote(name)}`;
  const comments = bound.columns.map(
    (c, i) => `COMMENT ON COLUMN ${place}.${quote(names[i]!)} IS ${text(JSON.stringify({ type: c.type }))}`,
  );
  const items = bound.columns.map(
    (c, i) =>
      `_q._c${i + 1}${collateOf({ ...c, collation: c.collation ?? 'default' } as ColumnMeta)} AS ${quote(names[i]!)}`,
  );
  const body = `SELECT ${items.join(', ')} FROM (${bound.sql}) AS _q(${items.map((_, i) => `_c${i + 1}`).join(',')})`;
  return [`CREATE VIEW ${place} AS ${body}`, ...comments].join(';\n');
}

export function schemaOf(name: Name): string {
  return name.at(-1)!.startsWith('#') || name.at(-1)!.startsWith('@') ? 'pg_temp' : name.at(-2) || 'dbo';
}
