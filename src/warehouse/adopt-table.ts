// Adopting a legacy table: what it lacks for a mapping, and what of it would lose rows or values.
// Guarantees: pure; the only statements are ALTER TABLE … ADD of nullable columns, or of any column while it is empty.
import { isBinaryCollation, isSameCollation, KEY_COLLATION } from '../mapping/collation.ts';
import { formatSqlType, hasCollation } from '../mapping/default-type.ts';
import type { SqlServerType, TargetColumn, TargetTable } from '../mapping/target.ts';
import { nearestName } from '../text/nearest-name.ts';
import type { ColumnFacts, TableFacts } from './catalog.ts';
import { columnDefinition, keyName, metadataColumns } from './create-table.ts';
import type { WarehouseFinding } from './finding.ts';
import { displayTable, isSameName, quoteName, quoteTable, type TableName } from './identifier.ts';
import { typeFit } from './type-fit.ts';

interface Adoption {
  readonly statements: string[];
  readonly findings: WarehouseFinding[];
}

export function adoptTable(facts: TableFacts, target: TargetTable): Adoption {
  const adoption: Adoption = { statements: [], findings: [] };
  const wanted: TargetColumn[] = [
    ...target.columns,
    ...metadataColumns(target).map((column) => ({ ...column, nullable: true, field: '' })),
  ];
  for (const column of wanted) adoptColumn(facts, target, column, adoption);
  adoption.findings.push(
    ...unmappedFindings(facts, target, wanted),
    ...keyFindings(facts, target),
    ...triggerFindings(facts, target),
    ...temporalFindings(facts, target),
    ...maskFindings(facts, target),
  );
  return adoption;
}

function finding(
  target: TargetTable,
  code: WarehouseFinding['code'],
  severity: WarehouseFinding['severity'],
  column: string | null,
  message: string,
  statement: string | null = null,
): WarehouseFinding {
  const object = column === null ? displayTable(target) : `${displayTable(target)}.${column}`;
  return { code, severity, entity: target.entity, object, message, statement };
}

function adoptColumn(facts: TableFacts, target: TargetTable, wanted: TargetColumn, adoption: Adoption): void {
  const existing = facts.columns.find((column) => isSameName(column.name, wanted.name));
  if (existing === undefined) {
    addColumn(facts, target, wanted, adoption);
    return;
  }
  const add = (
    code: WarehouseFinding['code'],
    severity: WarehouseFinding['severity'],
    message: string,
    statement: string | null = null,
  ) => adoption.findings.push(finding(target, code, severity, existing.name, message, statement));

  if (existing.computed || existing.generated) {
    const kind = existing.computed ? 'computed' : 'filled by the server';
    add('WB6103', 'error', `The column is ${kind} and can't be written; expected a plain column.`);
    return;
  }
  if (existing.identity) {
    add(
      'WB6104',
      'error',
      'The column is an IDENTITY: its values would need SET IDENTITY_INSERT and can never be updated. Map another column, or rebuild the table without IDENTITY.',
    );
  }
  if (existing.type === null) {
    add(
      'WB6105',
      'error',
      `The column is ${existing.typeText}, which walbridge doesn't write; expected ${formatSqlType(wanted.type)}.`,
    );
    return;
  }
  typeFindings(wanted, existing, facts, add);
  const inKey = target.key.some((name) => isSameName(name, wanted.name));
  if (
    inKey &&
    hasCollation(existing.type) &&
    (existing.collation === null || !isBinaryCollation(existing.collation))
  ) {
    add(
      'WB6107',
      'warning',
      `The key column has the collation ${existing.collation ?? 'of the database'}: keys that differ by case or accent only are one there, and the later row goes to quarantine; expected a binary one such as ${KEY_COLLATION}. To have it: drop the indexes on it, run the statement, make them again.`,
      collateStatement(facts.name, { ...existing, typeText: keyTypeText(wanted, existing) }, KEY_COLLATION),
    );
  } else if (
    wanted.collation != null &&
    existing.collation !== null &&
    !isSameCollation(wanted.collation, existing.collation)
  ) {
    add(
      'WB6121',
      'advice',
      `The column has the collation ${existing.collation}, the mapping says ${wanted.collation}: it stays as it is. To have the other: drop the indexes on it, run the statement, make them again.`,
      collateStatement(facts.name, existing, wanted.collation),
    );
  }
}

/** Gives an existing column another collation; type and NULL as they are. */
export function collateStatement(
  table: TableName,
  column: Pick<ColumnFacts, 'name' | 'typeText' | 'nullable'>,
  collation: string,
): string {
  return `ALTER TABLE ${quoteTable(table)} ALTER COLUMN ${quoteName(column.name)} ${column.typeText} COLLATE ${collation} ${column.nullable ? 'NULL' : 'NOT NULL'}`;
}

/** The column's own type, where that can be in a key and holds what the mapping wants: run behind WB6106's, it takes nothing back. */
function keyTypeText({ type: wanted }: TargetColumn, { type, typeText, collation }: ColumnFacts): string {
  if (type === null || !hasCollation(wanted) || isMax(wanted)) return typeText;
  const isEnough = !isMax(type) && typeFit(wanted, type, collation).verdict === 'holds';
  return isEnough ? typeText : formatSqlType(wanted);
}

function isMax(type: SqlServerType): boolean {
  return 'length' in type && type.length === 'max';
}

function typeFindings(
  wanted: TargetColumn,
  existing: ColumnFacts,
  facts: TableFacts,
  add: (code: `WB${number}`, severity: 'error' | 'warning', message: string, statement?: string) => void,
): void {
  if (existing.type === null) return;
  const fit = typeFit(wanted.type, existing.type, existing.collation);
  if (fit.verdict !== 'holds') {
    const severity = fit.verdict === 'loses' ? 'error' : 'warning';
    const collate =
      existing.collation !== null && hasCollation(wanted.type) ? ` COLLATE ${existing.collation}` : '';
    add(
      'WB6106',
      severity,
      `The column is ${existing.typeText}, the mapping wants ${formatSqlType(wanted.type)}: ${fit.why}.`,
      `ALTER TABLE ${quoteTable(facts.name)} ALTER COLUMN ${quoteName(existing.name)} ${formatSqlType(wanted.type)}${collate} ${existing.nullable ? 'NULL' : 'NOT NULL'}`,
    );
  }
  if (wanted.nullable && !existing.nullable) {
    add(
      'WB6108',
      'warning',
      'The column is NOT NULL, the field is nullable: rows with NULL go to quarantine.',
    );
  }
}

function addColumn(facts: TableFacts, target: TargetTable, wanted: TargetColumn, adoption: Adoption): void {
  const definition = columnDefinition(wanted, target.key);
  const sql = `ALTER TABLE ${quoteTable(facts.name)} ADD ${definition}`;
  if (wanted.nullable || facts.empty) {
    adoption.statements.push(sql);
    return;
  }
  const known = facts.columns.map((column) => column.name);
  const nearest = nearestName(wanted.name, known);
  const hint = nearest === null ? '' : `; nearest: ${nearest}`;
  const message = `The column is missing and the table has rows, so it can't be added as NOT NULL${hint}. Make the field nullable in the mapping, or add the column with a default first.`;
  const statement = `ALTER TABLE ${quoteTable(facts.name)} ADD ${columnDefinition({ ...wanted, nullable: true }, target.key)}`;
  adoption.findings.push(finding(target, 'WB6109', 'error', wanted.name, message, statement));
}

function unmappedFindings(
  facts: TableFacts,
  target: TargetTable,
  wanted: readonly TargetColumn[],
): WarehouseFinding[] {
  return facts.columns
    .filter((column) => !wanted.some((one) => isSameName(one.name, column.name)))
    .filter(
      (column) =>
        !(column.nullable || column.hasDefault || column.identity || column.computed || column.generated),
    )
    .map((column) =>
      finding(
        target,
        'WB6110',
        'error',
        column.name,
        'The legacy column is NOT NULL, has no default and no mapping fills it: no row could be inserted. Map it, or give it a default or NULL.',
        `ALTER TABLE ${quoteTable(facts.name)} ALTER COLUMN ${quoteName(column.name)} ${column.typeText}${column.collation === null ? '' : ` COLLATE ${column.collation}`} NULL`,
      ),
    );
}

function keyFindings(facts: TableFacts, target: TargetTable): WarehouseFinding[] {
  if (facts.uniqueKeys === null) return [];
  const unique = facts.uniqueKeys.some(
    (key) =>
      !key.filtered &&
      key.columns.length === target.key.length &&
      key.columns.every((column) => target.key.some((name) => isSameName(name, column))),
  );
  if (unique) return [];
  const columns = target.key.map(quoteName).join(', ');
  return [
    finding(
      target,
      'WB6111',
      'error',
      null,
      `The table has no primary key or unique index on exactly ${target.key.join(', ')}: a row could be there twice, and finding it would read the whole table.`,
      `CREATE UNIQUE INDEX ${quoteName(keyName('UX', target.table))} ON ${quoteTable(facts.name)} (${columns})`,
    ),
  ];
}

function triggerFindings(facts: TableFacts, target: TargetTable): WarehouseFinding[] {
  return (facts.triggers ?? [])
    .filter((trigger) => !trigger.disabled)
    .map((trigger) =>
      trigger.insteadOf
        ? finding(
            target,
            'WB6112',
            'error',
            null,
            `The INSTEAD OF trigger ${trigger.name} decides what is written: no row could be trusted to arrive.`,
            `ALTER TABLE ${quoteTable(facts.name)} DISABLE TRIGGER ${quoteName(trigger.name)}`,
          )
        : finding(
            target,
            'WB6112',
            'warning',
            null,
            `The trigger ${trigger.name} runs within each batch: it has to work on many rows at once, and rows that it refuses go to quarantine.`,
          ),
    );
}

/** A row whose unchanged columns come from the table itself would get the masks in their place. */
function maskFindings(facts: TableFacts, target: TargetTable): WarehouseFinding[] {
  return (facts.masked ?? []).map((column) =>
    finding(
      target,
      'WB6120',
      'warning',
      column,
      'The column is masked, and the login lacks UNMASK: where a change keeps its value (unchanged TOAST), the mask would be written over it. GRANT UNMASK to it.',
    ),
  );
}

function temporalFindings(facts: TableFacts, target: TargetTable): WarehouseFinding[] {
  if (!facts.temporal) return [];
  return [
    finding(
      target,
      'WB6114',
      'advice',
      null,
      'The table is system-versioned: its history grows by every update, and a TRUNCATE of the source arrives as a DELETE.',
    ),
  ];
}
