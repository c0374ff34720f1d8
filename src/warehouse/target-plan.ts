// What has to be done so that the target tables can be written to: create those that are missing, adopt the others.
// Guarantees: pure; an existing table's own columns, keys and data are left alone: it only ever gains columns.
import type { TargetTable } from '../mapping/target.ts';
import { adoptTable } from './adopt-table.ts';
import { type Catalog, type CatalogPart, tableKey } from './catalog.ts';
import { createTable, metadataColumns } from './create-table.ts';
import type { WarehouseFinding } from './finding.ts';
import { displayTable, quoteName, type TableName } from './identifier.ts';
import { MAX_ROW_BYTES, rowSize } from './row-size.ts';
import { stagingOverhead } from './staging.ts';

/** One batch to run, for one mapping. */
export interface TargetStatement {
  readonly entity: string;
  readonly sql: string;
}

export interface TargetPlan {
  /** In the order to run them. */
  readonly statements: readonly TargetStatement[];
  readonly findings: readonly WarehouseFinding[];
}

/** With an `error` among the findings, don't run the statements. */
export function planTargets(catalog: Catalog, targets: readonly TargetTable[]): TargetPlan {
  const statements: TargetStatement[] = [];
  const findings: WarehouseFinding[] = [
    ...catalog.unread.map(unreadFinding),
    ...sharedTables(targets),
    ...targets.flatMap(widthFindings),
    ...targets.flatMap(fillFindings),
    ...foreignKeyFindings(catalog, targets),
  ];
  const schemas = new Set(catalog.schemas);
  for (const target of targets) {
    const { entity } = target;
    const facts = catalog.tables.get(tableKey(target));
    if (facts !== undefined) {
      const adopted = adoptTable(facts, target);
      statements.push(...adopted.statements.map((sql) => ({ entity, sql })));
      findings.push(...adopted.findings);
      continue;
    }
    const other = catalog.others?.get(tableKey(target));
    if (other !== undefined) {
      findings.push(nameTaken(target, other));
      continue;
    }
    if (!schemas.has(target.schema.toUpperCase())) {
      schemas.add(target.schema.toUpperCase());
      statements.push({ entity, sql: `CREATE SCHEMA ${quoteName(target.schema)}` });
    }
    const created = createTable(target);
    statements.push(...created.statements.map((sql) => ({ entity, sql })));
    findings.push(...created.findings);
  }
  return { statements, findings };
}

function nameTaken(target: TargetTable, kind: string): WarehouseFinding {
  return {
    code: 'WB6119',
    severity: 'error',
    entity: target.entity,
    object: displayTable(target),
    message: `A ${kind} of the warehouse has this name; expected a table, or a name that is free. Map the table below a view or synonym instead.`,
    statement: null,
  };
}

const unreadParts: Readonly<
  Record<CatalogPart, { severity: WarehouseFinding['severity']; view: string; unknown: string }>
> = {
  'column traits': {
    severity: 'advice',
    view: 'sys.columns',
    unknown:
      'which columns are IDENTITY, computed or have a default is unknown: writing to such a column would halt its lane.',
  },
  'temporal tables': {
    severity: 'advice',
    view: 'sys.tables',
    unknown: 'which tables are system-versioned is unknown: writing to a period column would halt its lane.',
  },
  'unique keys': {
    severity: 'advice',
    view: 'sys.indexes',
    unknown:
      "whether each table has a primary key or unique index on exactly its mapping's key is unknown; expected one.",
  },
  triggers: {
    severity: 'advice',
    view: 'sys.triggers',
    unknown: 'whether a trigger changes what is written is unknown; expected none that does.',
  },
  'foreign keys': {
    severity: 'warning',
    view: 'sys.foreign_keys',
    unknown:
      'tables are written in the order that a batch names them: enabled foreign keys between them would send rows to quarantine.',
  },
};

function unreadFinding(part: CatalogPart): WarehouseFinding {
  const { severity, view, unknown } = unreadParts[part];
  return {
    code: 'WB6116',
    severity,
    entity: null,
    object: view,
    message: `It could not be read (is the login granted VIEW DEFINITION?): ${unknown}`,
    statement: null,
  };
}

/** https://learn.microsoft.com/sql/sql-server/maximum-capacity-specifications-for-sql-server */
const MAX_COLUMNS = 1024;

/** Rows that no page takes: each goes to quarantine, which is better known before. */
function fillFindings(target: TargetTable): WarehouseFinding[] {
  const { filled } = rowSize([...target.columns, ...metadataColumns(target)].map(({ type }) => type));
  if (filled <= MAX_ROW_BYTES) return [];
  return [
    {
      code: 'WB6118',
      severity: 'advice',
      entity: target.entity,
      object: displayTable(target),
      message: `A row with values in all of its ${target.columns.length} columns could take ${filled} bytes of a page, and SQL Server's rows end at ${MAX_ROW_BYTES}: rows that are too full go to quarantine (error 511).`,
      statement: null,
    },
  ];
}

function widthFindings(target: TargetTable): WarehouseFinding[] {
  const most = MAX_COLUMNS - stagingOverhead(target);
  if (target.columns.length <= most) return [];
  return [
    {
      code: 'WB6117',
      severity: 'error',
      entity: target.entity,
      object: displayTable(target),
      message: `The mapping fills ${target.columns.length} columns; expected at most ${most}: a table has ${MAX_COLUMNS}, and the staging table needs the others.`,
      statement: null,
    },
  ];
}

function sharedTables(targets: readonly TargetTable[]): WarehouseFinding[] {
  const owners = new Map<string, string>();
  return targets.flatMap((target) => {
    const owner = owners.get(tableKey(target));
    owners.set(tableKey(target), target.entity);
    if (owner === undefined) return [];
    return {
      code: 'WB6100',
      severity: 'error',
      entity: target.entity,
      object: displayTable(target),
      message: `${owner} writes to this table too; expected one mapping a table.`,
      statement: null,
    } as const;
  });
}

function foreignKeyFindings(catalog: Catalog, targets: readonly TargetTable[]): WarehouseFinding[] {
  const byTable = new Map(targets.map((target) => [tableKey(target), target]));
  return catalog.foreignKeys
    .filter((key) => !key.disabled)
    .flatMap((key): WarehouseFinding[] => {
      const from = byTable.get(tableKey(key.from));
      const to = byTable.get(tableKey(key.to));
      const finding = (entity: string, at: TableName, message: string): WarehouseFinding => ({
        code: 'WB6113',
        severity: 'warning',
        entity,
        object: `${displayTable(at)} (${key.name})`,
        message,
        statement: null,
      });
      if (from !== undefined && to === undefined) {
        const message = `The foreign key refers to ${displayTable(key.to)}, which no mapping writes: rows without their parent there go to quarantine.`;
        return [finding(from.entity, key.from, message)];
      }
      if (from === undefined && to !== undefined) {
        const message = `${displayTable(key.from)}, which no mapping writes, refers to this table: deletes of rows it refers to go to quarantine.`;
        return [finding(to.entity, key.to, message)];
      }
      if (from !== undefined && to !== undefined && from.lane !== to.lane) {
        const message = `The foreign key crosses lanes (${from.lane} refers to ${to.lane}), which don't wait for each other: expected both in one lane.`;
        return [{ ...finding(from.entity, key.from, message), severity: 'error' }];
      }
      return [];
    });
}
