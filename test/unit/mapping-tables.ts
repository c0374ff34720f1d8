// Source tables for the mapping tests, written short: `{ id: 'int8!', email: 'varchar(254)' }`.
import { buildRegistry } from '../../src/canonical/registry.ts';
import type { RecordSchema } from '../../src/canonical/schema.ts';
import type { Relation, SourceChange, SourceRow, SourceTransaction } from '../../src/change/source-change.ts';
import type { ColumnDescription, TableDescription } from '../../src/change/table-description.ts';

const oids: Readonly<Record<string, number>> = {
  bool: 16,
  bytea: 17,
  int8: 20,
  int2: 21,
  int4: 23,
  text: 25,
  json: 114,
  float4: 700,
  float8: 701,
  bpchar: 1042,
  varchar: 1043,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
  _text: 1009,
  _int4: 1007,
};

/** A type as `varchar(40)`, `numeric(18,2)`, `enum(a|b)`, `int4[]`; `!` behind it for NOT NULL. */
export function column(name: string, type: string): ColumnDescription {
  const match = /^(\w+)(?:\(([^)]*)\))?(\[\])?(!?)$/.exec(type);
  if (match === null) throw new Error(`no type: ${type}`);
  const [, word = '', inner, array, notNull] = match;
  const numbers = inner?.split(',').map(Number) ?? [];
  const isArray = array !== undefined;
  const typeName = isArray ? `_${word}` : word === 'enum' ? 'mood' : word;
  const typeOid = oids[typeName] ?? 90_000;
  return {
    name,
    typeOid,
    typeText: type,
    baseType: {
      oid: typeOid,
      name: typeName,
      schema: 'pg_catalog',
      kind: isArray ? 'array' : word === 'enum' ? 'enum' : 'base',
      numeric:
        word === 'numeric' && inner !== undefined ? { precision: numbers[0]!, scale: numbers[1] ?? 0 } : null,
      length: (word === 'varchar' || word === 'bpchar') && inner !== undefined ? numbers[0]! : null,
      secondDigits: null,
      enumLabels: word === 'enum' ? inner!.split('|') : [],
      elementTypeName: isArray ? word : null,
    },
    nullable: notNull === '',
    generated: 'no',
    identity: 'no',
    comment: null,
  };
}

export function table(
  name: string,
  columns: Readonly<Record<string, string>>,
  more: Partial<TableDescription> = {},
): TableDescription {
  const described = Object.entries(columns).map(([each, type]) => column(each, type));
  const primaryKey = more.primaryKey === undefined ? ['id'] : more.primaryKey;
  const all = described.map((each) => each.name);
  return {
    schema: 'public',
    table: name,
    oid: 16_400,
    kind: 'table',
    columns: described,
    primaryKey,
    uniqueKeys: [],
    foreignKeys: [],
    replicaIdentity: 'default',
    replicaIdentityColumns: more.replicaIdentity === 'full' ? all : primaryKey,
    comment: null,
    ...more,
  };
}

/** The RELATION message that the server would send of the table. */
export function relationOf(described: TableDescription): Relation {
  return {
    oid: described.oid,
    schema: described.schema,
    table: described.table,
    replicaIdentity: described.replicaIdentity,
    columns: described.columns.map(({ name, typeOid }) => ({
      name,
      typeOid,
      typeModifier: -1,
      identity: described.replicaIdentityColumns?.includes(name) ?? false,
    })),
  };
}

/** A schema of the given fields, as `crm.thing` 1.0.0. */
export function schemaOf(
  fields: Readonly<Record<string, unknown>>,
  defaults: Record<string, unknown> = {},
): RecordSchema {
  const text = JSON.stringify({
    type: 'record',
    name: 'thing',
    namespace: 'crm',
    fields: Object.entries(fields).map(([name, type]) => ({
      name,
      type,
      ...(name in defaults && { default: defaults[name] }),
    })),
  });
  const { registry, findings } = buildRegistry([{ path: 'crm/thing/1.0.0.avsc', text }]);
  if (findings.length > 0) throw new Error(JSON.stringify(findings));
  return registry.require('crm.thing', '1.0.0');
}

/** A mapping of `public.things`, whose fields stand from line 6 on, each indented by two. */
export function mappingText(fields: readonly string[], more: readonly string[] = []): string {
  return [
    'entity: things',
    'source: {table: public.things, key: id}',
    'record: crm.thing@1.0.0',
    'target: crm.things',
    'fields:',
    ...fields.map((line) => `  ${line}`),
    ...more,
    '',
  ].join('\n');
}

export const transaction: SourceTransaction = {
  xid: 7,
  commitLsn: 500n,
  commitTimeMicros: 1_700_000_000_000_000n,
};

export function insert(relation: Relation, row: SourceRow): SourceChange {
  return { op: 'insert', relation, row, ordinal: 1 };
}

export function update(relation: Relation, row: SourceRow, old: SourceRow | null = null): SourceChange {
  return { op: 'update', relation, row, old, ordinal: 2 };
}

export function remove(relation: Relation, old: SourceRow): SourceChange {
  return { op: 'delete', relation, old, ordinal: 3 };
}
