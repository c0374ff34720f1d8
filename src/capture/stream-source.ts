// The source as a stream of it begins: who it is, which WAL it has, and where its slot stands.
// Guarantees: all of it is read on one connection, so that it is one server's.
import type { ClientConfig } from 'pg';
import { type Lsn, parseLsn } from '../change/position.ts';
import { ReplicationConnection, type SourceIdentity, type StreamFacts } from './replication-connection.ts';
import { sourceFault } from './source-fault.ts';

export interface StreamSource extends SourceIdentity {
  readonly isInRecovery: boolean;
  /** The slot's position: what commits before it is not sent. */
  readonly confirmed: Lsn;
}

export function streamSource(identity: SourceIdentity, { isInRecovery, slot }: StreamFacts): StreamSource {
  return { ...identity, isInRecovery, confirmed: parseLsn(slot?.confirmedFlushLsn ?? '0/0') };
}

/** Null without the slot. Throws a WalbridgeError (WB2001 to WB2003, WB2021) where the source can't be reached or refuses. */
export async function readStreamSource(
  connection: ClientConfig,
  slot: string,
  publications: readonly string[],
): Promise<StreamSource | null> {
  let replication: ReplicationConnection | null = null;
  try {
    replication = await ReplicationConnection.open(connection, new AbortController().signal);
    const facts = await replication.facts(slot, publications);
    if (facts.slot === null) return null;
    return streamSource(await replication.identify(), facts);
  } catch (error) {
    throw sourceFault(error);
  } finally {
    await replication?.close();
  }
}
