// Functions that read the catalog: objects, columns, schemas, the server's and the database's properties.
// (https://learn.microsoft.com/sql/t-sql/functions/metadata-functions-transact-sql)
import type { SqlType } from '../session.ts';
import { type Functions, integer, made, string, takes } from './call-plain.ts';
import { INT, nvarchar } from './types.ts';

export const SYSNAME: SqlType = { name: 'sysname', length: 128 };

export const METADATA_FUNCTIONS: Functions = {
  OBJECT_ID: takes(1, 2, (name, kind) =>
    made(
      `(SELECT _sandbox.object_id(${string(name!).sql},${kind ? string(kind).sql : 'NULL::bpchar'}))`,
      INT,
    ),
  ),
  COL_NAME: takes(2, 2, (id, column) =>
    made(`_sandbox.col_name(${integer(id!)},${integer(column!)})`, SYSNAME),
  ),
  OBJECT_NAME: takes(1, 1, (id) => made(`_sandbox.object_name(${integer(id!)})`, SYSNAME)),
  OBJECT_SCHEMA_NAME: takes(1, 1, (id) => made(`_sandbox.object_schema(${integer(id!)})`, SYSNAME)),
  COL_LENGTH: takes(2, 2, (table, column) =>
    made(`_sandbox.col_length(${string(table!).sql},${string(column!).sql})`, { name: 'smallint' }),
  ),
  COLUMNPROPERTY: takes(3, 3, (table, column, what) =>
    made(`_sandbox.column_property(${integer(table!)},${string(column!).sql},${string(what!).sql})`, INT),
  ),
  SCHEMA_ID: takes(0, 1, (name) =>
    made(`(SELECT _sandbox.schema_id(${name ? string(name).sql : "'dbo'::bpchar"}))`, INT),
  ),
  SCHEMA_NAME: takes(0, 1, (id) =>
    made(id ? `_sandbox.schema_name(${integer(id)})` : "'dbo'::bpchar", SYSNAME),
  ),
  TYPE_NAME: takes(1, 1, (id) => made(`_sandbox.type_name(${integer(id!)})`, SYSNAME)),
  DB_ID: takes(0, 1, (name) =>
    made(`_sandbox.db_id(${name ? string(name).sql : 'NULL::bpchar'})`, { name: 'smallint' }),
  ),
  SERVERPROPERTY: takes(1, 1, (name) =>
    made(`_sandbox.server_property(${string(name!).sql})`, nvarchar(128)),
  ),
  DATABASEPROPERTYEX: takes(2, 2, (_, name) =>
    made(`_sandbox.database_property(${string(name!).sql})`, nvarchar(128)),
  ),
  HAS_PERMS_BY_NAME: takes(3, 3, () => made('1', INT, false)),
  IS_SRVROLEMEMBER: takes(1, 2, () => made('1', INT, false)),
  IS_MEMBER: takes(1, 1, () => made('1', INT, false)),
};
