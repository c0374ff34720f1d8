// What the verification tests share: a verification of a bridge in this process, and the four ways to a digest.

import { describeTables } from '../../src/capture/describe-tables.ts';
import { withSource } from '../../src/capture/source-client.ts';
import { EVERY_KEY, type KeyDigest } from '../../src/change/row-digest.ts';
import type { TableDescription } from '../../src/change/table-description.ts';
import { sourceOf } from '../../src/daemon/connections.ts';
import { loadMappings } from '../../src/daemon/load-mappings.ts';
import { type Verification, type VerifyRequest, verifyOnce } from '../../src/daemon/verify-control.ts';
import { SourceReader } from '../../src/daemon/verify-reader.ts';
import {
  type Side,
  SourceDigests,
  SourceRows,
  TargetDigests,
  TargetRows,
} from '../../src/daemon/verify-side.ts';
import { type VerifiedTable, verifiedTable } from '../../src/daemon/verify-table.ts';
import { readCatalog } from '../../src/warehouse/read-catalog.ts';
import type { Bridge } from './types-bridge.ts';

export function verify(bridge: Bridge, wanted: Partial<VerifyRequest> = {}): Promise<Verification> {
  return verifyOnce(
    bridge.settings,
    { entities: [], repair: false, ...wanted, options: { patienceMs: 20_000, ...wanted.options } },
    'test',
    {
      onRetry: (fault) => {
        throw fault;
      },
    },
    new AbortController().signal,
  );
}

export interface Ways {
  readonly table: VerifiedTable;
  readonly bySourceSql: SourceDigests;
  readonly bySourceRows: Side;
  readonly byTargetSql: TargetDigests;
  readonly byTargetRows: Side;
  close(): Promise<void>;
}

export async function openWays(bridge: Bridge, entity: string): Promise<Ways> {
  const { mappings } = await loadMappings(bridge.settings);
  const mapping = mappings.find((candidate) => candidate.entity === entity)!;
  const [described] = (await withSource(sourceOf(bridge.settings), (client) =>
    describeTables(client, [mapping.source]),
  )) as [TableDescription];
  const catalog = await readCatalog(bridge.warehouse, [mapping.target]);
  const table = verifiedTable(mapping, described, catalog);
  if ('problem' in table) throw new Error(table.problem);
  const waiting = {
    backoff: bridge.settings.retry,
    signal: new AbortController().signal,
    onRetry: (fault: Error) => {
      throw fault;
    },
  };
  const reader = new SourceReader(sourceOf(bridge.settings), waiting);
  return {
    table,
    bySourceSql: new SourceDigests(table, reader),
    bySourceRows: new SourceRows(table, reader),
    byTargetSql: new TargetDigests(table, bridge.warehouse, waiting),
    byTargetRows: new TargetRows(table, bridge.warehouse, waiting),
    close: () => reader.close(),
  };
}

export async function digestsOf(side: Side): Promise<ReadonlyMap<string, string>> {
  const rows: readonly KeyDigest[] = await side.list(EVERY_KEY, []);
  return new Map(rows.map(({ key, digest }) => [key.join('/'), digest]));
}
