// Where walbridge's own CPU time goes: each stage of a change's way, on the source's real messages, alone in this process and
// without a server in between. What the drivers and the queue burn is not in it.
import type pg from 'pg';
import { appendEvent, appendTransaction } from '../src/canonical/batch-codec.ts';
import { decodeBatch } from '../src/canonical/batch-decoder.ts';
import type { CanonicalEvent } from '../src/canonical/event.ts';
import { RecordWriter } from '../src/canonical/record-writer.ts';
import { createPgoutputPlugin } from '../src/capture/pgoutput-decoder.ts';
import { TransactionAssembly } from '../src/capture/transaction-assembly.ts';
import type { LaneBatch } from '../src/change/batch.ts';
import { GrowingBuffer } from '../src/change/growing-buffer.ts';
import { ORIGIN, wholeAt } from '../src/change/position.ts';
import type { SourceChange, SourceTransaction } from '../src/change/source-change.ts';
import { loadSettings } from '../src/config/load.ts';
import { eventReaders, loadMappings } from '../src/daemon/load-mappings.ts';
import { fromJobData, toJobData } from '../src/lanes/job.ts';
import type { RowMapper } from '../src/mapping/row-mapper.ts';
import { prepareBatch } from '../src/warehouse/batch-work.ts';
import { packRows } from '../src/warehouse/bulk-packing.ts';
import { openWarehouse } from '../src/warehouse/connection.ts';
import { readCatalog } from '../src/warehouse/read-catalog.ts';
import { planStaging, stage, stagingBulkColumns, stagingRows } from '../src/warehouse/staging.ts';
import { PUBLICATION } from './workload.ts';

export interface Stage {
  readonly name: string;
  readonly microsPerChange: number;
}

export interface StagesOptions {
  /** Of the source; the slot must hold changes and is only looked at. */
  readonly client: pg.Client;
  readonly slot: string;
  readonly config: string;
  readonly warehouse: string;
}

const MESSAGES = 10_000;
const ROUNDS = 30;
/** Left out of the figures: the code is being compiled. */
const WARM_UP_ROUNDS = 10;
const STREAM = 'bench';
const LANE = 'main';

export async function measureStages({ client, slot, config, warehouse }: StagesOptions): Promise<Stage[]> {
  const messages = (
    await client.query<{ data: Buffer }>(
      `SELECT data FROM pg_logical_slot_peek_binary_changes($1, NULL, ${MESSAGES}, 'proto_version', '1', 'publication_names', $2)`,
      [slot, PUBLICATION],
    )
  ).rows.map(({ data }) => data);
  const loaded = await loadMappings(loadSettings(config, {}));
  const [mapping] = loaded.mappings;
  if (mapping === undefined) throw new Error('no mapping');
  const server = await openWarehouse({ connectionString: warehouse });
  const catalog = await readCatalog(server, [mapping.target]).finally(() => server.close());
  const plan = planStaging(mapping.target, mapping.schema, catalog);
  const plans = new Map([[mapping.entity, plan]]);
  const targets = new Map([[mapping.entity, mapping.target]]);
  const readers = eventReaders(loaded);
  const writer = new RecordWriter(mapping.schema);

  const spent = new Map<string, number>();
  let changes = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round === WARM_UP_ROUNDS) spent.clear();
    const measured = <T>(name: string, work: () => T): T => {
      const before = process.cpuUsage();
      const result = work();
      const { user, system } = process.cpuUsage(before);
      spent.set(name, (spent.get(name) ?? 0) + user + system);
      return result;
    };
    const read = measured('capture: decode', () => readMessages(messages, mapping.bind));
    const events = measured('mapping', () =>
      read.changes.flatMap(({ change, transaction }) => read.mapper.map(change, transaction) ?? []),
    );
    const payload = measured('canonical: encode', () => encode(events, writer));
    const batch: LaneBatch = {
      lane: LANE,
      previous: ORIGIN,
      last: wholeAt(events.at(-1)?.at.lsn ?? 1n),
      payload,
      changes: events.length,
      commitTimeMicros: 0n,
    };
    const text = measured('lane: to JSON', () => JSON.stringify(toJobData(batch, STREAM)));
    const back = measured('lane: from JSON', () => fromJobData(JSON.parse(text), LANE, STREAM));
    if (back === null) throw new Error('a job of another stream');
    const work = measured('canonical: decode, compaction', () =>
      prepareBatch(decodeBatch(back.payload, readers), ORIGIN_BEFORE_ALL, targets, plans),
    );
    measured('warehouse: staged rows as bytes', () => {
      const staging = stage(plan, null, work.tables[0]?.rows ?? []);
      let bytes = 0;
      for (const [chunk] of packRows(stagingBulkColumns(staging), stagingRows(staging)))
        bytes += chunk.length;
      return bytes;
    });
    changes = events.length;
  }
  const rounds = ROUNDS - WARM_UP_ROUNDS;
  return [...spent].map(([name, micros]) => ({ name, microsPerChange: micros / rounds / changes }));
}

const ORIGIN_BEFORE_ALL = { lsn: 0n, ordinal: 0 };

interface Read {
  readonly changes: readonly { readonly change: SourceChange; readonly transaction: SourceTransaction }[];
  readonly mapper: RowMapper;
}

function readMessages(messages: readonly Buffer[], bind: (relation: never) => RowMapper): Read {
  const changes: { change: SourceChange; transaction: SourceTransaction }[] = [];
  let transaction: SourceTransaction | null = null;
  let mapper: RowMapper | null = null;
  const assembly = new TransactionAssembly(createPgoutputPlugin([PUBLICATION], false), new Map(), {
    begin: (begun) => {
      transaction = begun;
    },
    change: (change) => {
      if (transaction !== null) changes.push({ change, transaction });
    },
    commit: () => {},
    message: () => {},
    relation: (relation) => {
      mapper = bind(relation as never);
    },
    idle: () => {},
    restarted: () => {},
  });
  for (const message of messages) void assembly.consume(message);
  if (mapper === null) throw new Error('no relation among the messages');
  return { changes, mapper };
}

function encode(events: readonly CanonicalEvent[], writer: RecordWriter): Buffer {
  const buffer = new GrowingBuffer();
  let lsn = -1n;
  for (const event of events) {
    if (event.at.lsn !== lsn) {
      lsn = event.at.lsn;
      appendTransaction(buffer, lsn, event.commitTimeMicros);
    }
    appendEvent(buffer, event, writer);
  }
  return buffer.take(buffer.length);
}
