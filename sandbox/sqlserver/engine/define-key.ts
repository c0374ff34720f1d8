// Constraints and indexes to PostgreSQL. Unique keys are checked at the statement's end as in SQL Server (DEFERRABLE),
// except where a foreign key refers to them.
import { createHash, randomBytes } from 'node:crypto';
import type { Constraint, Of } from './ast.ts';
import { assign } from './convert.ts';
import { comment } from './define-column.ts';
import { sqlError } from './errors.ts';
import type { Binder } from './expression.ts';
import { tableScope } from './from.ts';
import { quote, reference, Scope, same, shown, type TableMeta, text } from './scope.ts';

export const generated = (kind: string, table: string): string =>
  `${kind}__${table.slice(0, 20)}__${randomBytes(8).toString('hex').toUpperCase()}`;

function columnNames(table: TableMeta, names: readonly string[]): string {
  return names
    .map((n) => {
      const column = table.columns.find((c) => same(c.name, n));
      if (!column) throw sqlError(1911, n);
      return quote(column.name);
    })
    .join(',');
}

export function addConstraint(binder: Binder, c: Constraint, table: TableMeta): string {
  const place = `ALTER TABLE ${reference(table)}`;
  switch (c.k) {
    case 'key': {
      const name = c.name ?? generated(c.primary ? 'PK' : 'UQ', table.name);
      const kind = c.primary ? 'PRIMARY KEY' : 'UNIQUE NULLS NOT DISTINCT';
      const clustered = c.clustered ?? c.primary;
      const note = clustered
        ? `;\nCOMMENT ON CONSTRAINT ${quote(name)} ON ${reference(table)} IS '{"clustered":true}'`
        : '';
      return `${place} ADD CONSTRAINT ${quote(name)} ${kind} (${columnNames(table, c.columns)}) DEFERRABLE INITIALLY IMMEDIATE${note}`;
    }
    case 'check': {
      const scope = new Scope(null);
      tableScope(scope, table);
      const name = c.name ?? generated('CK', table.name);
      return `${place} ADD CONSTRAINT ${quote(name)} CHECK (${binder.predicate(c.e, scope)});\nCOMMENT ON CONSTRAINT ${quote(name)} ON ${reference(table)} IS ${text(JSON.stringify({ text: c.text }))}`;
    }
    case 'default': {
      const column = table.columns.find((m) => same(m.name, c.column));
      if (!column) throw sqlError(1752, c.column, table.name);
      const value = binder.scalar(c.e, new Scope(null));
      const note = {
        ...column.note,
        default: { name: c.name ?? generated('DF', table.name), text: value.sql },
      };
      return `${place} ALTER COLUMN ${quote(column.name)} SET DEFAULT ${assign(value, column, table)};\n${comment(table, { ...column, note })}`;
    }
    case 'foreign':
      return foreignKey(binder, c, table);
  }
}

/** PostgreSQL wants a key that is checked at once behind a foreign key: the referenced one is made so. */
function foreignKey(binder: Binder, c: Extract<Constraint, { k: 'foreign' }>, table: TableMeta): string {
  const to =
    c.table.length > 0 && same(c.table.at(-1)!, table.name) && same(c.table.at(-2) || 'dbo', table.schema)
      ? table
      : binder.around.table(c.table);
  const name = c.name ?? generated('FK', table.name);
  const key = to.keys.find((k) =>
    c.references.length === 0 ? k.kind === 'PK' : k.kind !== 'FK' && same(k.column, c.references.join(',')),
  );
  if (!key) throw sqlError(1776, shown(to), name);
  const columns = columnNames(to, key.column.split(','));
  const kind = key.kind === 'PK' ? 'PRIMARY KEY' : 'UNIQUE NULLS NOT DISTINCT';
  const mend = key.immediate
    ? ''
    : `DO $mend$ DECLARE note text := (SELECT obj_description(oid, 'pg_constraint') FROM pg_constraint
  WHERE conname = ${text(key.pg)} AND conrelid = ${text(reference(to))}::regclass);
BEGIN
  ALTER TABLE ${reference(to)} DROP CONSTRAINT ${quote(key.pg)}, ADD CONSTRAINT ${quote(key.pg)} ${kind} (${columns});
  EXECUTE format('COMMENT ON CONSTRAINT %I ON ${reference(to).replaceAll("'", "''")} IS %L', ${text(key.pg)}, note);
END $mend$;\n`;
  return `${mend}ALTER TABLE ${reference(table)} ADD CONSTRAINT ${quote(name)} FOREIGN KEY (${columnNames(table, c.columns)}) REFERENCES ${reference(to)} (${columns})${c.actions}`;
}

/** SQL Server's index names are a table's own, PostgreSQL's a schema's: a hash stands for both, the comment has the name. */
export function createIndex(binder: Binder, index: Of<'createIndex'>): string {
  const table = binder.around.table(index.table);
  if (table.keys.some((k) => same(k.name, index.name))) throw sqlError(1913, index.name, shown(table));
  const pg = `ix_${createHash('md5').update(`${table.schema}.${table.name}.${index.name}`.toLowerCase()).digest('hex')}`;
  const note = text(JSON.stringify({ name: index.name, clustered: index.clustered, filter: index.text }));
  const include = index.include.length > 0 ? ` INCLUDE (${columnNames(table, index.include)})` : '';
  if (index.unique && !index.where) {
    return `ALTER TABLE ${reference(table)} ADD CONSTRAINT ${quote(pg)} UNIQUE NULLS NOT DISTINCT (${columnNames(
      table,
      index.columns.map((c) => c.name),
    )})${include} DEFERRABLE INITIALLY IMMEDIATE;\nCOMMENT ON CONSTRAINT ${quote(pg)} ON ${reference(table)} IS ${note}`;
  }
  const scope = new Scope(null);
  tableScope(scope, table);
  const columns = index.columns
    .map((c) => `${columnNames(table, [c.name])}${c.desc ? ' DESC' : ''}`)
    .join(',');
  const where = index.where ? ` WHERE ${binder.predicate(index.where, scope)}` : '';
  const nulls = index.unique ? ' NULLS NOT DISTINCT' : '';
  return `CREATE ${index.unique ? 'UNIQUE ' : ''}INDEX ${quote(pg)} ON ${reference(table)} (${columns})${include}${nulls}${where};\nCOMMENT ON INDEX ${quote(table.schema)}.${quote(pg)} IS ${note}`;
}
