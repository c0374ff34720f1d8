// Findings about the server and the slot that no test server can be brought to.
import { expect, test } from 'vitest';
import { inspect } from '../../src/capture/inspect.ts';
import { slotFault } from '../../src/capture/slot-facts.ts';
import type { SourceFacts, WantedSource } from '../../src/capture/source-facts.ts';

const wanted: WantedSource = { tables: [], publications: ['walbridge'], slot: 'walbridge' };

const sound: SourceFacts = {
  serverVersion: 140_000,
  database: 'crm',
  walLevel: 'logical',
  encoding: 'UTF8',
  maxReplicationSlots: 10,
  usedReplicationSlots: 1,
  maxWalSenders: 10,
  usedWalSenders: 1,
  walSenderTimeoutMs: 60_000,
  role: { name: 'walbridge', canReplicate: true, canCreateInDatabase: true },
  tables: [],
  allTables: [],
  publications: [
    {
      name: 'walbridge',
      isOwned: true,
      isForAllTables: false,
      operations: ['insert', 'update', 'delete', 'truncate'],
      isViaPartitionRoot: false,
      generatedColumns: null,
      tables: [],
      namedTables: [],
    },
  ],
  slot: {
    plugin: 'pgoutput',
    database: 'crm',
    temporary: false,
    active: false,
    activePid: null,
    twoPhase: false,
    synced: false,
    walStatus: 'reserved',
    invalidationReason: null,
    confirmedFlushLsn: '0/1',
  },
};

test.each<[string, Partial<SourceFacts>, [string, string][]]>([
  ['a sound source', {}, []],
  ['version 13', { serverVersion: 130_014 }, [['WB2101', 'error']]],
  ['version 18', { serverVersion: 180_004 }, []],
  ['version 19', { serverVersion: 190_000 }, [['WB2101', 'warning']]],
  ['no encoding', { encoding: 'SQL_ASCII' }, [['WB2106', 'warning']]],
  ['wal_level replica', { walLevel: 'replica' }, [['WB2102', 'error']]],
  [
    'no free slot, and none of its own',
    { usedReplicationSlots: 10, slot: null },
    [
      ['WB2103', 'error'],
      ['WB2140', 'error'],
    ],
  ],
  ['no free slot, but its own', { usedReplicationSlots: 10 }, []],
  ['no free WAL sender', { usedWalSenders: 10 }, [['WB2104', 'error']]],
  ['no wal_sender_timeout', { walSenderTimeoutMs: 0 }, [['WB2105', 'warning']]],
  ['a slot that is read', { slot: { ...sound.slot!, active: true, activePid: 7 } }, [['WB2143', 'warning']]],
  ['a slot whose WAL may go', { slot: { ...sound.slot!, walStatus: 'unreserved' } }, [['WB2144', 'warning']]],
  ['a slot whose WAL is gone', { slot: { ...sound.slot!, walStatus: 'lost' } }, [['WB2011', 'error']]],
  [
    'a slot that was invalidated otherwise',
    { slot: { ...sound.slot!, invalidationReason: 'idle_timeout' } },
    [['WB2011', 'error']],
  ],
])('%s', (_, facts, expected) => {
  const findings = inspect({ ...sound, ...facts }, wanted);
  expect(findings.map(({ code, severity }) => [code, severity])).toEqual(expected);
});

test('the way back from a lost slot is named, with the slot quoted', () => {
  const lost = slotFault("it's", { ...sound.slot!, invalidationReason: 'wal_removed' }, 'crm');
  expect(lost?.next).toContain(`pg_drop_replication_slot('it''s')`);
  expect(lost?.next).toContain('walbridge backfill --all');
});
