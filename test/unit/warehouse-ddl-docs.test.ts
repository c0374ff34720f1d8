import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { createSchemaHistory, migrations } from '../../src/warehouse/migrations.ts';

interface Column {
  readonly name: string;
  readonly type: string;
  readonly nullable: boolean;
}

const ddl = [createSchemaHistory, ...migrations.flatMap((migration) => migration.statements)];

/** Tables by name, out of the CREATE TABLE and ALTER TABLE … ADD statements. */
function fromDdl(): Map<string, Column[]> {
  const tables = new Map<string, Column[]>();
  for (const statement of ddl) {
    const name = /^(?:CREATE|ALTER) TABLE \[walbridge\]\.\[(\w+)\]/.exec(statement)?.[1];
    if (name === undefined) continue;
    const columns = [
      ...statement.matchAll(/^ {2}\[(\w+)\] (.+?)( COLLATE Latin1_General_BIN2)? (NOT NULL|NULL),?$/gm),
    ];
    tables.set(name, [
      ...(tables.get(name) ?? []),
      ...columns.map(([, column = '', type = '', collate, nullable]) => ({
        name: column,
        type: `${type}${collate === undefined ? '' : ', binary collation'}`,
        nullable: nullable === 'NULL',
      })),
    ]);
  }
  return tables;
}

/** Tables by name, out of the document's sections. */
function fromDocument(): Map<string, Column[]> {
  const text = readFileSync(new URL('../../docs/control-tables.md', import.meta.url), 'utf8');
  const tables = new Map<string, Column[]>();
  for (const section of text.split(/^## /m).slice(1)) {
    const rows = [...section.matchAll(/^\| `(\w+)` +\| (.+?) +\| (yes|) *\|/gm)];
    if (rows.length === 0) continue;
    tables.set(
      section.split('\n')[0] ?? '',
      rows.map(([, name = '', type = '', nullable]) => ({ name, type, nullable: nullable === 'yes' })),
    );
  }
  return tables;
}

describe('docs/control-tables.md', () => {
  it('has every table and column of the DDL, and no other', () => {
    const documented = fromDocument();
    const created = fromDdl();
    expect([...documented.keys()].sort()).toEqual([...created.keys()].sort());
    expect([...created.keys()].sort()).toEqual([
      'anomaly',
      'audit',
      'backfill',
      'batch_log',
      'entity',
      'quarantine',
      'schema_history',
      'slot',
      'verification',
      'watermark',
    ]);
    for (const [name, columns] of created) expect(documented.get(name), name).toEqual(columns);
  });
});

describe('migrations', () => {
  it('are numbered from 1 without a gap', () => {
    expect(migrations.map((migration) => migration.version)).toEqual(migrations.map((_, index) => index + 1));
  });

  it('put columns of NOT NULL only into keys, and name every constraint', () => {
    for (const statement of ddl.filter((one) => one.startsWith('CREATE TABLE'))) {
      const key = /CONSTRAINT \[PK_walbridge_\w+\] PRIMARY KEY CLUSTERED \((.+)\)/.exec(statement)?.[1] ?? '';
      expect(key).not.toBe('');
      for (const column of key.split(', ')) expect(statement).toMatch(new RegExp(`\\${column} .* NOT NULL`));
    }
  });
});
