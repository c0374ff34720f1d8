// `walbridge init` and `walbridge check` at the warehouse: control tables, target tables, settings.
// Guarantees: init runs everything or nothing, in one transaction under a lock, and a second init changes nothing; with an
// error among the findings it runs nothing; check changes nothing at all.
import type { KeyReference } from '../mapping/key-reference.ts';
import type { TargetTable } from '../mapping/target.ts';
import { CONTROL_SCHEMA } from './control-tables.ts';
import type { WarehouseFinding } from './finding.ts';
import { quoteName } from './identifier.ts';
import {
  type ControlState,
  lastSchemaVersion,
  lockSchema,
  migrationStatements,
  pendingMigrations,
  readControlState,
  recordSchemaChange,
  runMigrations,
} from './migrate.ts';
import { permissionFindings, readMissingPermissions } from './permissions.ts';
import { readCatalog } from './read-catalog.ts';
import { referenceFindings } from './reference-collation.ts';
import type { SqlSession, Warehouse } from './session.ts';
import { readSettings, settingsFindings } from './settings.ts';
import { WarehouseError } from './sql-fault.ts';
import { planTargets, type TargetPlan, type TargetStatement } from './target-plan.ts';

export interface InitReport {
  /** Every statement, in order, each a batch of its own: run, or with `dryRun` or errors what would be. */
  readonly statements: readonly string[];
  readonly findings: readonly WarehouseFinding[];
  readonly applied: boolean;
}

export interface InitOptions {
  readonly dryRun: boolean;
  /** Recorded in walbridge.schema_history. */
  readonly actor: string;
}

/** Throws WB6030 (another init holds the lock), WB6031 (control tables of a newer walbridge), or a WarehouseError. */
export async function initWarehouse(
  warehouse: Warehouse,
  targets: readonly TargetTable[],
  options: InitOptions,
): Promise<InitReport> {
  const settings = settingsFindings(await readSettings(warehouse));
  if (options.dryRun) return { ...(await plan(warehouse, targets, settings)).report, applied: false };
  return warehouse.transaction(async (session) => {
    await lockSchema(session);
    // Read beside the transaction, which a view that can't be read would end; under the lock nothing changes meanwhile.
    const { report, targetPlan, state } = await plan(warehouse, targets, settings);
    if (hasErrors(report.findings)) return { ...report, applied: false };
    await runMigrations(session, state, options.actor);
    await runTargets(session, targetPlan.statements, options.actor);
    return { ...report, applied: true };
  });
}

/**
 * The findings of all of it; what init has still to do is among them as WB6115 and WB6205. `references`: of the source's
 * foreign keys.
 */
export async function checkWarehouse(
  session: SqlSession,
  targets: readonly TargetTable[],
  references: readonly KeyReference[] = [],
): Promise<WarehouseFinding[]> {
  const state = await readControlState(session);
  const catalog = await readCatalog(session, targets);
  const targetPlan = planTargets(catalog, targets);
  const pending = pendingMigrations(state).length;
  const control: WarehouseFinding[] =
    pending === 0
      ? []
      : [
          {
            code: 'WB6205',
            severity: 'error',
            entity: null,
            object: quoteName(CONTROL_SCHEMA),
            message: `The control tables lack ${pending} of their steps; run walbridge init.`,
            statement: null,
          },
        ];
  const missing = targetPlan.statements.map(
    ({ entity, sql }): WarehouseFinding => ({
      code: 'WB6115',
      severity: 'error',
      entity,
      object: targets.find((target) => target.entity === entity)?.table ?? entity,
      message: 'The table is not ready for this mapping; run walbridge init.',
      statement: sql,
    }),
  );
  return [
    ...settingsFindings(await readSettings(session)),
    ...control,
    ...targetPlan.findings,
    ...referenceFindings(catalog, targets, references).filter(({ object }) => !isTold(targetPlan, object)),
    ...missing,
    ...permissionFindings(await readMissingPermissions(session, targets)),
  ];
}

/** That the column has another collation than the mapping says. */
function isTold({ findings }: TargetPlan, object: string): boolean {
  return findings.some((finding) => finding.code === 'WB6121' && finding.object === object);
}

async function plan(
  session: SqlSession,
  targets: readonly TargetTable[],
  settings: readonly WarehouseFinding[],
): Promise<{ report: Omit<InitReport, 'applied'>; targetPlan: TargetPlan; state: ControlState }> {
  const state = await readControlState(session);
  const targetPlan = planTargets(await readCatalog(session, targets), targets);
  return {
    targetPlan,
    state,
    report: {
      statements: [...migrationStatements(state), ...targetPlan.statements.map(({ sql }) => sql)],
      findings: [...settings, ...targetPlan.findings],
    },
  };
}

async function runTargets(
  session: SqlSession,
  statements: readonly TargetStatement[],
  actor: string,
): Promise<void> {
  for (const { entity, sql } of statements) {
    try {
      await session.batch(sql);
    } catch (error) {
      // Which of them it was is all that a reader wants to know.
      if (error instanceof WarehouseError)
        throw new WarehouseError(`${firstLine(sql)} for ${entity}`, error.fault);
      throw error;
    }
  }
  for (const entity of new Set(statements.map((statement) => statement.entity))) {
    const component = `target:${entity}`;
    await recordSchemaChange(session, {
      component,
      version: (await lastSchemaVersion(session, component)) + 1,
      description: `Table for the mapping ${entity}`,
      statements: statements.filter((statement) => statement.entity === entity).map(({ sql }) => sql),
      actor,
    });
  }
}

/** `CREATE TABLE [crm].[contacts]` */
function firstLine(sql: string): string {
  return sql.replace(/\s*\(?\n.*/s, '');
}

function hasErrors(findings: readonly WarehouseFinding[]): boolean {
  return findings.some((finding) => finding.severity === 'error');
}
