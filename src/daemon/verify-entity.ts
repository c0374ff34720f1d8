// One entity's verification from its plan to its report: search, settle, count.
// Guarantees: runs beside everything else with short statements; what it keeps of findings is bounded; a fault of one entity is in
// its report and nobody else's.

import { readSlotHealth } from '../capture/slot-health.ts';
import { withSource } from '../capture/source-client.ts';
import type { TableDescription } from '../change/table-description.ts';
import { isSameTable } from '../change/table-name.ts';
import { asWalbridgeError, type WalbridgeError } from '../fault/fault.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import type { Catalog } from '../warehouse/catalog.ts';
import type { Warehouse } from '../warehouse/session.ts';
import type { sourceOf } from './connections.ts';
import { SourceReader, type Waiting } from './verify-reader.ts';
import {
  countFindings,
  type EntityReport,
  noFindings,
  type VerifyFinding,
  type VerifyState,
  type VerifyWay,
} from './verify-report.ts';
import { search } from './verify-search.ts';
import { type Settled, Settlement } from './verify-settle.ts';
import { type Side, SourceDigests, SourceRows, TargetDigests, TargetRows } from './verify-side.ts';
import { type VerifiedTable, verifiedTable } from './verify-table.ts';

export interface VerifyOptions {
  /** Of the rows, 0 to 1. */
  readonly share: number;
  /** Rows of both sides are read and digested here. */
  readonly deep: boolean;
  readonly showValues: boolean;
  /** Source rows of a range. */
  readonly rangeRows: number;
  /** Milliseconds that a lane's watermark may take to pass a barrier. */
  readonly patienceMs: number;
  /** Findings of an entity that are kept; the entity ends there. */
  readonly mostFindings: number;
}

export const verifyDefaults: VerifyOptions = {
  share: 1,
  deep: false,
  showValues: false,
  rangeRows: 20_000,
  patienceMs: 60_000,
  mostFindings: 10_000,
};

export interface VerifyContext extends Waiting {
  readonly source: ReturnType<typeof sourceOf>;
  readonly slot: string;
  readonly warehouse: Warehouse;
  readonly catalog: Catalog;
  readonly tables: readonly TableDescription[];
  /** Source rows compared so far, of about so many. */
  readonly onProgress?: (entity: string, rows: number, estimate: number) => void;
}

const SUSPECTS_AT_ONCE = 500;
const MOST_LISTED = 20_000;
const PROBE_ROWS = 50;

export async function verifyEntity(
  mapping: CompiledMapping,
  options: VerifyOptions,
  context: VerifyContext,
): Promise<EntityReport> {
  const started = performance.now();
  const reader = new SourceReader(context.source, context);
  try {
    return {
      ...(await verified(mapping, options, context, reader)),
      milliseconds: performance.now() - started,
    };
  } catch (error) {
    context.signal.throwIfAborted();
    return { ...failed(mapping.entity, asWalbridgeError(error)), milliseconds: performance.now() - started };
  } finally {
    await reader.close();
  }
}

type Report = Omit<EntityReport, 'milliseconds'>;

async function verified(
  mapping: CompiledMapping,
  options: VerifyOptions,
  context: VerifyContext,
  reader: SourceReader,
): Promise<Report> {
  const { entity, source } = mapping;
  const described = context.tables.find((one) => isSameTable(one, source));
  const table = verifiedTable(mapping, described, context.catalog);
  if ('problem' in table) {
    const text = `The entity ${entity} cannot be verified: ${table.problem}.`;
    return { ...nothing(entity), state: 'failed', trouble: { code: 'WB7102', text } };
  }
  const { sides, way, why } = await chooseSides(table, options, context, reader);
  const estimate = await reader.use((connection) =>
    connection.estimate(table.source, { from: null, to: null, where: null, since: null }),
  );
  const settlement = new Settlement(table, reader, context.warehouse, {
    showValues: options.showValues,
    patienceMs: options.patienceMs,
    isSlotRead: () => isSlotRead(context),
    random: Math.random,
  });
  const found = new Findings(settlement, options.mostFindings);
  const searchOptions = {
    rangeRows: options.rangeRows,
    share: options.share,
    random: Math.random,
    estimate,
    mostListed: MOST_LISTED,
  };
  let [sourceRows, warehouseRows, rowsListed] = [0, 0, 0];
  try {
    for await (const part of search(table, sides.source, sides.target, reader, searchOptions)) {
      context.signal.throwIfAborted();
      sourceRows += part.sourceRows;
      warehouseRows += part.targetRows;
      rowsListed += part.listedRows;
      await found.add(part.suspects);
      context.onProgress?.(entity, sourceRows, estimate * options.share);
      if (found.isFull) break;
    }
    await found.finish();
  } finally {
    await settlement.close();
  }
  const counts = countFindings(found.findings);
  return {
    entity,
    state: stateOf(counts),
    way,
    why,
    sourceRows,
    warehouseRows,
    share:
      options.share >= 1 && !found.isFull ? 1 : Math.min(1, sourceRows / Math.max(1, estimate, sourceRows)),
    rowsListed,
    rowsRead: sides.source.readRows + sides.target.readRows + settlement.readRows,
    counts,
    findings: found.findings,
    isCutShort: found.isFull,
    trouble: troubleOf(found.stuck, mapping.lane, context.slot, options.patienceMs),
  };
}

/** Suspects until there are enough for a look at them, and what came of those. */
class Findings {
  readonly findings: VerifyFinding[] = [];
  stuck: Settled['stuck'] = null;
  readonly #settlement: Settlement;
  readonly #most: number;
  #suspects: (readonly string[])[] = [];

  constructor(settlement: Settlement, most: number) {
    this.#settlement = settlement;
    this.#most = most;
  }

  get isFull(): boolean {
    return this.findings.length >= this.#most;
  }

  async add(suspects: readonly (readonly string[])[]): Promise<void> {
    for (const key of suspects) {
      this.#suspects.push(key);
      if (this.#suspects.length >= SUSPECTS_AT_ONCE) await this.finish();
      if (this.isFull) return;
    }
  }

  async finish(): Promise<void> {
    const keys = this.#suspects;
    this.#suspects = [];
    if (keys.length === 0) return;
    const { findings, stuck } = await this.#settlement.settle(keys);
    this.findings.push(...findings);
    this.stuck ??= stuck;
  }
}

async function chooseSides(
  table: VerifiedTable,
  options: VerifyOptions,
  context: VerifyContext,
  reader: SourceReader,
): Promise<{
  readonly sides: { readonly source: Side; readonly target: Side };
  readonly way: VerifyWay;
  readonly why: string | null;
}> {
  const bySql = new TargetDigests(table, context.warehouse, context);
  const ofSource = new SourceDigests(table, reader);
  const byRows = () => new SourceRows(table, reader);
  const readTarget = () => new TargetRows(table, context.warehouse, context);
  if (options.deep) return { sides: { source: byRows(), target: readTarget() }, way: 'deep', why: null };
  const doubt = await unproven(() => bySql.isProven(PROBE_ROWS));
  if (doubt !== null) {
    const why = `the warehouse's own digests cannot be used: ${doubt}`;
    return { sides: { source: byRows(), target: readTarget() }, way: 'deep', why };
  }
  if (table.byRows !== null)
    return { sides: { source: byRows(), target: bySql }, way: 'rows', why: table.byRows };
  const encoding = await reader.use((connection) => connection.serverEncoding());
  const sourceDoubt =
    encoding === 'UTF8' ? await unproven(() => ofSource.isProven(PROBE_ROWS)) : `its encoding is ${encoding}`;
  if (sourceDoubt === null) return { sides: { source: ofSource, target: bySql }, way: 'sql', why: null };
  const why = `the source's own digests cannot be used: ${sourceDoubt}`;
  return { sides: { source: byRows(), target: bySql }, way: 'rows', why };
}

/** Why a server's digests are not to be trusted: it refuses the statement, or says something else of some rows. */
async function unproven(isProven: () => Promise<boolean>): Promise<string | null> {
  try {
    return (await isProven()) ? null : 'they differ from those of the same rows when read';
  } catch (error) {
    const fault = asWalbridgeError(error);
    if (fault.kind === 'transient') throw error;
    return `${fault.code} ${fault.what}`;
  }
}

function isSlotRead({ source, slot }: VerifyContext): Promise<boolean> {
  return withSource(source, async (client) => (await readSlotHealth(client, slot))?.isActive === true);
}

function stateOf(counts: EntityReport['counts']): VerifyState {
  if (counts.missing + counts.extra + counts.different > 0) return 'different';
  return counts.unsettled > 0 ? 'unsettled' : 'equal';
}

function troubleOf(
  stuck: Settled['stuck'],
  lane: string,
  slot: string,
  patienceMs: number,
): EntityReport['trouble'] {
  if (stuck === null) return null;
  const text =
    stuck === 'no reader'
      ? `Nobody reads the slot ${slot}: the watermark of lane ${lane} does not move, and what is on its way cannot be told from what differs. Run it beside \`walbridge run\`.`
      : `The watermark of lane ${lane} did not pass a barrier within ${Math.round(patienceMs / 1000)} s: \`walbridge status\` shows what holds it.`;
  return { code: 'WB7103', text };
}

function nothing(entity: string): Report {
  return {
    entity,
    state: 'equal',
    way: 'sql',
    why: null,
    sourceRows: 0,
    warehouseRows: 0,
    share: 0,
    rowsListed: 0,
    rowsRead: 0,
    counts: noFindings,
    findings: [],
    isCutShort: false,
    trouble: null,
  };
}

function failed(entity: string, fault: WalbridgeError): Report {
  return {
    ...nothing(entity),
    state: 'failed',
    trouble: { code: fault.code, text: `${fault.what} ${fault.next}` },
  };
}
