// A lane for tests: tables in a fresh warehouse, batches written from plain rows as capture would, and their appliers.
import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { createWarehouse } from '../../sandbox/address.ts';
import { appendEvent, appendTransaction } from '../../src/canonical/batch-codec.ts';
import type { CanonicalEvent, CanonicalRecord } from '../../src/canonical/event.ts';
import { EventReaders } from '../../src/canonical/record-reader.ts';
import { RecordWriter } from '../../src/canonical/record-writer.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import type { LaneBatch } from '../../src/change/batch.ts';
import { GrowingBuffer } from '../../src/change/growing-buffer.ts';
import { ORIGIN, type Position, wholeAt } from '../../src/change/position.ts';
import { parseSqlType } from '../../src/mapping/default-type.ts';
import type { TargetTable } from '../../src/mapping/target.ts';
import { openWarehouse } from '../../src/warehouse/connection.ts';
import { initWarehouse } from '../../src/warehouse/init.ts';
import {
  type AppliedReport,
  LaneApplier,
  type LaneApplierOptions,
} from '../../src/warehouse/lane-applier.ts';
import { readCatalog } from '../../src/warehouse/read-catalog.ts';
import type { Warehouse } from '../../src/warehouse/session.ts';

/** A table by its columns: name to [SQL Server type, Avro type], `key` first. Columns but the key may be null. */
export interface TestTable {
  readonly entity: string;
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, readonly [sql: string, avro: unknown]>>;
  readonly metadata?: TargetTable['metadata'];
  /** Of columns that aren't called as their fields. */
  readonly names?: Readonly<Record<string, string>>;
}

type Change =
  | { readonly insert: string; readonly row: CanonicalRecord }
  | {
      readonly update: string;
      readonly row: CanonicalRecord;
      /** Fields left out of `row` are unchanged TOAST. */
      readonly was?: CanonicalRecord;
    }
  | { readonly delete: string; readonly key: CanonicalRecord }
  | { readonly truncate: string }
  | { readonly reject: string; readonly keyJson: string };

export class TestLane {
  readonly warehouse: Warehouse;
  readonly connectionString: string;
  readonly reports: AppliedReport[] = [];
  readonly isolated: number[] = [];
  applier!: LaneApplier;
  #targets: TargetTable[] = [];
  readonly #tables: readonly TestTable[];
  readonly #registry: ReturnType<typeof buildRegistry>['registry'];
  #lsn = 0n;
  #last: Position = ORIGIN;

  private constructor(warehouse: Warehouse, connectionString: string, tables: readonly TestTable[]) {
    this.warehouse = warehouse;
    this.connectionString = connectionString;
    this.#tables = tables;
    const { registry, findings } = buildRegistry(
      tables.map((table) => ({
        path: `t/${table.entity}/1.0.0.avsc`,
        text: JSON.stringify({
          type: 'record',
          name: table.entity,
          namespace: 't',
          fields: Object.entries(table.columns).map(([name, [, avro]]) => ({
            name,
            type: table.key.includes(name) ? avro : ['null', avro],
          })),
        }),
      })),
    );
    if (findings.length > 0) throw new Error(JSON.stringify(findings));
    this.#registry = registry;
  }

  /** `ddl` runs after the tables are there: foreign keys, unique keys, columns of the old days. */
  static async open(tables: readonly TestTable[], ddl: readonly string[] = []): Promise<TestLane> {
    const name = `apply_${randomBytes(5).toString('hex')}`;
    const connectionString = await createWarehouse(inject('sandbox'), name);
    const lane = new TestLane(await openWarehouse({ connectionString }), connectionString, tables);
    lane.#targets = tables.map((table) => ({
      entity: table.entity,
      lane: 'main',
      schema: 'dbo',
      table: table.entity,
      key: table.key.map((field) => table.names?.[field] ?? field),
      columns: Object.entries(table.columns).map(([field, [sql]]) => {
        const type = parseSqlType(sql);
        if ('problem' in type) throw new Error(type.problem);
        return { name: table.names?.[field] ?? field, type, nullable: !table.key.includes(field), field };
      }),
      metadata: table.metadata ?? {},
    }));
    const { findings } = await initWarehouse(lane.warehouse, lane.#targets, { dryRun: false, actor: 'test' });
    const errors = findings.filter((finding) => finding.severity === 'error');
    if (errors.length > 0) throw new Error(JSON.stringify(errors));
    for (const statement of ddl) await lane.warehouse.batch(statement);
    lane.applier = await lane.newApplier();
    return lane;
  }

  async newApplier(more: Partial<LaneApplierOptions> = {}): Promise<LaneApplier> {
    const schemas = new Map(
      this.#tables.map((table) => [table.entity, this.#registry.require(`t.${table.entity}`)]),
    );
    return new LaneApplier({
      lane: 'main',
      warehouse: this.warehouse,
      catalog: await readCatalog(this.warehouse, this.#targets),
      targets: this.#targets,
      schemas,
      readers: new EventReaders(this.#registry, schemas),
      onApplied: (report) => this.reports.push(report),
      onIsolating: (_batch, fault) => this.isolated.push(fault.fault.number ?? 0),
      ...more,
    });
  }

  /** The next batch: each argument is one transaction. */
  batch(...transactions: readonly (readonly Change[])[]): LaneBatch {
    const out = new GrowingBuffer();
    const previous = this.#last;
    let changes = 0;
    for (const transaction of transactions) {
      this.#lsn += 16n;
      appendTransaction(out, this.#lsn, commitTime(this.#lsn));
      transaction.forEach((change, index) => {
        const event = this.#event(change, { lsn: this.#lsn, ordinal: index + 1 });
        appendEvent(out, event, new RecordWriter(this.#registry.require(`t.${event.entity}`)));
        changes += 1;
      });
    }
    this.#last = wholeAt(this.#lsn);
    return {
      lane: 'main',
      previous,
      last: this.#last,
      payload: out.take(out.length),
      changes,
      commitTimeMicros: commitTime(this.#lsn),
    };
  }

  /** Applies the transactions as one batch; throws where it isn't applied. */
  async apply(...transactions: readonly (readonly Change[])[]): Promise<LaneBatch> {
    const batch = this.batch(...transactions);
    const outcome = await this.applier.apply(batch, new AbortController().signal);
    if (outcome.kind !== 'applied') throw new Error(`not applied: ${outcome.kind}`);
    return batch;
  }

  #event(change: Change, at: Position): CanonicalEvent {
    const base = { at, commitTimeMicros: commitTime(at.lsn) };
    if ('truncate' in change) return { ...base, op: 'truncate', entity: change.truncate };
    if ('delete' in change) return { ...base, op: 'delete', entity: change.delete, key: change.key };
    if ('reject' in change) {
      return {
        ...base,
        op: 'reject',
        entity: change.reject,
        code: 'WB3101',
        reason: 'malformed',
        change: 'update',
        key: null,
        previousKey: null,
        keyJson: change.keyJson,
        rowJson: '{}',
      };
    }
    const entity = 'insert' in change ? change.insert : change.update;
    const fields = Object.keys(this.#tables.find((table) => table.entity === entity)?.columns ?? {});
    return {
      ...base,
      op: 'upsert',
      entity,
      inserted: 'insert' in change,
      record: change.row,
      absent: fields.filter((field) => !(field in change.row)),
      previousKey: 'update' in change ? (change.was ?? null) : null,
    };
  }

  async rows(table: string, columns = '*', order = '1'): Promise<Record<string, unknown>[]> {
    const { rows } = await this.warehouse.batch(`SELECT ${columns} FROM ${table} ORDER BY ${order}`);
    return [...rows];
  }

  async quarantine(): Promise<Record<string, unknown>[]> {
    return this.rows(
      'walbridge.quarantine',
      'entity, code, change, key_json, row_json, reason, CASE WHEN resolved_at IS NULL THEN 1 ELSE 0 END AS is_open',
      'commit_lsn, ordinal',
    );
  }

  close(): Promise<void> {
    return this.warehouse.close();
  }
}

/** Some time in 2026, by the LSN. */
function commitTime(lsn: bigint): bigint {
  return 1_790_000_000_000_000n + lsn * 1_000_001n;
}
