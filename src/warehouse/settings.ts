// What of the server and the database decides how well walbridge runs there.
// https://learn.microsoft.com/sql/relational-databases/system-catalog-views/sys-databases-transact-sql
import { readIfPossible } from './catalog-query.ts';
import type { WarehouseFinding } from './finding.ts';
import { quoteName } from './identifier.ts';
import type { SqlSession } from './session.ts';

export interface DatabaseSettings {
  readonly database: string;
  /** 13 is SQL Server 2016. null where the server doesn't say. */
  readonly majorVersion: number | null;
  /** 5: Azure SQL Database, 8: Azure SQL Managed Instance; their versions don't count. */
  readonly engineEdition: number | null;
  readonly readCommittedSnapshot: boolean;
  readonly autoClose: boolean;
  readonly readOnly: boolean;
  /** sys.databases.delayed_durability: 2 is FORCED. */
  readonly delayedDurability: number;
}

interface SettingsRow {
  readonly name: string;
  readonly version: string | null;
  readonly edition: number | null;
  readonly is_read_committed_snapshot_on: boolean;
  readonly is_auto_close_on: boolean;
  readonly is_read_only: boolean;
  readonly delayed_durability: number;
}

const statement = `SELECT d.name, CONVERT(varchar(128), SERVERPROPERTY('ProductVersion')) AS version,
  CONVERT(int, SERVERPROPERTY('EngineEdition')) AS edition,
  d.is_read_committed_snapshot_on, d.is_auto_close_on, d.is_read_only, d.delayed_durability
FROM sys.databases AS d
WHERE d.name = DB_NAME()`;

/** null where the login or the server doesn't let them be read. */
export async function readSettings(session: SqlSession): Promise<DatabaseSettings | null> {
  const rows = await readIfPossible<SettingsRow>(session, statement);
  const row = rows?.[0];
  if (row === undefined) return null;
  const major = Number.parseInt(row.version ?? '', 10);
  return {
    database: row.name,
    majorVersion: Number.isNaN(major) ? null : major,
    engineEdition: row.edition,
    readCommittedSnapshot: row.is_read_committed_snapshot_on,
    autoClose: row.is_auto_close_on,
    readOnly: row.is_read_only,
    delayedDurability: row.delayed_durability,
  };
}

const OLDEST_MAJOR = 13;
/** https://learn.microsoft.com/sql/relational-databases/logs/control-transaction-durability */
const FORCED = 2;
const azureEditions = new Set([5, 8]);

export function settingsFindings(settings: DatabaseSettings | null): WarehouseFinding[] {
  if (settings === null) {
    return [
      {
        code: 'WB6200',
        severity: 'advice',
        entity: null,
        object: 'sys.databases',
        message:
          "The database's settings could not be read; expected SQL Server 2016 or later, or Azure SQL.",
        statement: null,
      },
    ];
  }
  const { database, majorVersion, engineEdition } = settings;
  const findings: WarehouseFinding[] = [];
  const add = (
    code: WarehouseFinding['code'],
    severity: WarehouseFinding['severity'],
    message: string,
    fix: string | null,
  ) => findings.push({ code, severity, entity: null, object: database, message, statement: fix });
  const alter = (option: string) => `ALTER DATABASE ${quoteName(database)} SET ${option}`;
  if (majorVersion !== null && majorVersion < OLDEST_MAJOR && !azureEditions.has(engineEdition ?? 0)) {
    add(
      'WB6201',
      'warning',
      `The server's version is ${majorVersion}; walbridge is made for ${OLDEST_MAJOR} (SQL Server 2016) and later.`,
      null,
    );
  }
  if (settings.readOnly) {
    add(
      'WB6202',
      'error',
      'The database is read-only; expected one that can be written.',
      alter('READ_WRITE'),
    );
  }
  if (!settings.readCommittedSnapshot) {
    add(
      'WB6203',
      'advice',
      'READ_COMMITTED_SNAPSHOT is off: readers wait for a batch that is being applied, and it for them. On, neither waits.',
      alter('READ_COMMITTED_SNAPSHOT ON WITH ROLLBACK IMMEDIATE'),
    );
  }
  if (settings.autoClose) {
    add(
      'WB6204',
      'warning',
      'AUTO_CLOSE is on: the database shuts down whenever walbridge is idle.',
      alter('AUTO_CLOSE OFF'),
    );
  }
  if (settings.delayedDurability === FORCED) {
    add(
      'WB6207',
      'warning',
      'DELAYED_DURABILITY is FORCED: a commit is confirmed before it is on disk. When the server crashes, what the source was told to forget may be lost; then walbridge halts (WB6302) until everything is loaded anew.',
      alter('DELAYED_DURABILITY = ALLOWED'),
    );
  }
  return findings;
}
