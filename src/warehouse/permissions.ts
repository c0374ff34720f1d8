// What the login may do with the tables that a running walbridge reads and writes.
// Guarantees: asks the server for effective permissions (granted, inherited, denied) and tries nothing; what the server
// can't tell is no finding against the login.
// https://learn.microsoft.com/sql/t-sql/functions/has-perms-by-name-transact-sql
import { readIfPossible } from './catalog-query.ts';
import { controlTable } from './control-tables.ts';
import type { WarehouseFinding } from './finding.ts';
import { displayTable, quoteName, quoteTable, quoteText, type TableName } from './identifier.ts';
import type { SqlSession } from './session.ts';

type Permission = 'SELECT' | 'INSERT' | 'UPDATE' | 'DELETE';

interface Need {
  /** null for a control table. */
  readonly entity: string | null;
  readonly object: string;
  /** Quoted. */
  readonly table: string;
  readonly permissions: readonly Permission[];
}

export interface MissingPermissions extends Need {
  /** The database user that the login is. */
  readonly user: string;
}

interface PermissionRow {
  readonly n: number;
  readonly permission: Permission;
  /** null where the table isn't there. */
  readonly granted: number | null;
  readonly who: string;
}

const everything: readonly Permission[] = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

function needs(targets: readonly (TableName & { readonly entity: string })[]): Need[] {
  const control = (name: Parameters<typeof controlTable>[0], permissions: readonly Permission[]) => ({
    entity: null,
    object: controlTable(name),
    table: controlTable(name),
    permissions,
  });
  return [
    control('watermark', ['SELECT', 'INSERT', 'UPDATE']),
    control('slot', ['SELECT', 'INSERT', 'UPDATE']),
    control('batchLog', ['SELECT', 'INSERT', 'DELETE']),
    control('quarantine', ['SELECT', 'INSERT', 'UPDATE']),
    control('entity', ['SELECT', 'INSERT', 'UPDATE']),
    control('backfill', ['SELECT', 'INSERT', 'UPDATE']),
    control('audit', ['INSERT']),
    ...targets.map((target) => ({
      entity: target.entity,
      object: displayTable(target),
      table: quoteTable(target),
      permissions: everything,
    })),
  ];
}

/** What the login lacks; null where the server doesn't tell. */
export async function readMissingPermissions(
  session: SqlSession,
  targets: readonly (TableName & { readonly entity: string })[],
): Promise<readonly MissingPermissions[] | null> {
  const needed = needs(targets);
  const found = await readIfPossible<PermissionRow>(session, permissionQuery(needed));
  if (found === null) return null;
  return needed.flatMap((need, n) => {
    const lacking = found.filter((row) => row.n === n && row.granted === 0);
    const [first] = lacking;
    return first === undefined
      ? []
      : { ...need, permissions: lacking.map((row) => row.permission), user: first.who };
  });
}

function permissionQuery(needed: readonly Need[]): string {
  return needed
    .flatMap(({ table, permissions }, n) =>
      permissions.map(
        (permission) =>
          `SELECT ${n} AS n, '${permission}' AS permission, HAS_PERMS_BY_NAME(${quoteText(table)}, 'OBJECT', '${permission}') AS granted, USER_NAME() AS who`,
      ),
    )
    .join('\nUNION ALL\n');
}

export function permissionFindings(missing: readonly MissingPermissions[] | null): WarehouseFinding[] {
  if (missing === null) {
    return [
      {
        code: 'WB6206',
        severity: 'advice',
        entity: null,
        object: 'HAS_PERMS_BY_NAME',
        message:
          "The login's permissions could not be read; expected those that docs/control-tables.md lists.",
        statement: null,
      },
    ];
  }
  // A warning: the tables may be checked as somebody else than the one who will run.
  return missing.map(({ entity, object, table, permissions, user }) => ({
    code: 'WB6206',
    severity: 'warning',
    entity,
    object,
    message: `The login (user ${user}) lacks ${permissions.join(', ')} on the table: as this login, walbridge run would halt there.`,
    statement: `GRANT ${permissions.join(', ')} ON ${table} TO ${quoteName(user)}`,
  }));
}
