// Turns pgoutput messages into transactions and numbered changes, one row at a time: nothing of a transaction is kept.
// Guarantees: ordinals count every row change as the server sent it, from 1, so that a re-sent transaction is numbered alike.
import type { Pgoutput, PgoutputPlugin } from 'pg-logical-replication';
import { type Lsn, parseLsn } from '../change/position.ts';
import type { Relation, SourceChange, SourceRow, SourceTransaction } from '../change/source-change.ts';
import type { ChangeConsumer } from './change-consumer.ts';
import { fault } from './source-fault.ts';

/** The last shape of each relation by OID; outlives a connection, so that a reconnect is no schema change. */
export type Relations = Map<number, Relation>;

export class TransactionAssembly {
  readonly #plugin: PgoutputPlugin;
  readonly #relations: Relations;
  readonly #consumer: ChangeConsumer;
  #transaction: SourceTransaction | null = null;
  #ordinal = 0;
  #lastOid = -1;
  #lastRelation: Relation | null = null;

  constructor(plugin: PgoutputPlugin, relations: Relations, consumer: ChangeConsumer) {
    this.#plugin = plugin;
    this.#relations = relations;
    this.#consumer = consumer;
  }

  get isInTransaction(): boolean {
    return this.#transaction !== null;
  }

  /** Consumes one pgoutput message. @throws WalbridgeError WB2020 for one that cannot be understood. */
  consume(bytes: Buffer): void | Promise<void> {
    const message = this.#parse(bytes);
    switch (message.tag) {
      case 'insert':
        return this.#consumer.change({
          op: 'insert',
          relation: this.#relation(message.relation.relationOid),
          row: message.new,
          ordinal: this.#nextOrdinal(),
        });
      case 'update':
        return this.#consumer.change({
          op: 'update',
          relation: this.#relation(message.relation.relationOid),
          row: message.new,
          old: message.old ?? message.key,
          ordinal: this.#nextOrdinal(),
        });
      case 'delete':
        return this.#consumer.change({
          op: 'delete',
          relation: this.#relation(message.relation.relationOid),
          old: (message.old ?? message.key) as SourceRow,
          ordinal: this.#nextOrdinal(),
        });
      case 'truncate':
        return this.#truncate(message);
      case 'begin':
        return this.#begin(message);
      case 'commit':
        return this.#commit(message);
      case 'relation':
        return this.#defineRelation(message);
      case 'message':
        return this.#consumer.message({
          transactional: message.transactional,
          lsn: lsnOf(message.messageLsn),
          prefix: message.prefix,
          // A copy: the driver reuses its buffer.
          content: Buffer.from(message.content),
        });
      case 'origin':
      case 'type':
        return undefined;
    }
  }

  #parse(bytes: Buffer): Pgoutput.Message {
    try {
      return this.#plugin.parse(bytes);
    } catch (error) {
      throw unreadable('a message that cannot be decoded', error);
    }
  }

  #begin(message: Pgoutput.MessageBegin): void | Promise<void> {
    if (this.#transaction !== null) throw unreadable('a transaction within another');
    this.#transaction = {
      xid: message.xid >>> 0,
      commitLsn: lsnOf(message.commitLsn),
      commitTimeMicros: message.commitTime as bigint,
    };
    this.#ordinal = 0;
    return this.#consumer.begin(this.#transaction);
  }

  #commit(message: Pgoutput.MessageCommit): void | Promise<void> {
    const transaction = this.#transaction;
    if (transaction === null || lsnOf(message.commitLsn) !== transaction.commitLsn) {
      throw unreadable('a commit of another transaction than the one in hand');
    }
    this.#transaction = null;
    return this.#consumer.commit(transaction);
  }

  /** One change a table; each is waited for before the next. */
  async #truncate(message: Pgoutput.MessageTruncate): Promise<void> {
    for (const truncated of message.relations as readonly (Pgoutput.MessageRelation | undefined)[]) {
      if (truncated === undefined) throw unreadable('a TRUNCATE of an unknown relation');
      const change: SourceChange = {
        op: 'truncate',
        relation: this.#relation(truncated.relationOid),
        ordinal: this.#nextOrdinal(),
      };
      await this.#consumer.change(change);
    }
  }

  #defineRelation(message: Pgoutput.MessageRelation): void {
    const relation = toRelation(message);
    const previous = this.#relations.get(message.relationOid) ?? null;
    // The server repeats a relation after any invalidation of its caches, and on every connection.
    if (previous !== null && isSameRelation(previous, relation)) return;
    this.#relations.set(message.relationOid, relation);
    this.#lastOid = -1;
    this.#consumer.relation(relation, previous);
  }

  #relation(oid: number): Relation {
    if (oid === this.#lastOid) return this.#lastRelation!;
    const relation = this.#relations.get(oid);
    if (relation === undefined) throw unreadable('a change of an unknown relation');
    this.#lastOid = oid;
    this.#lastRelation = relation;
    return relation;
  }

  #nextOrdinal(): number {
    if (this.#transaction === null) throw unreadable('a change outside of a transaction');
    this.#ordinal += 1;
    return this.#ordinal;
  }
}

function toRelation(message: Pgoutput.MessageRelation): Relation {
  return {
    oid: message.relationOid >>> 0,
    // The server leaves pg_catalog empty: https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
    schema: message.schema === '' ? 'pg_catalog' : message.schema,
    table: message.name,
    replicaIdentity: message.replicaIdentity,
    columns: message.columns.map((column) => ({
      name: column.name,
      typeOid: column.typeOid >>> 0,
      typeModifier: column.typeMod,
      identity: (column.flags & 1) === 1,
    })),
  };
}

function isSameRelation(a: Relation, b: Relation): boolean {
  return (
    a.schema === b.schema &&
    a.table === b.table &&
    a.replicaIdentity === b.replicaIdentity &&
    a.columns.length === b.columns.length &&
    a.columns.every((column, index) => {
      const other = b.columns[index]!;
      return (
        column.name === other.name &&
        column.typeOid === other.typeOid &&
        column.typeModifier === other.typeModifier &&
        column.identity === other.identity
      );
    })
  );
}

/** The library's LSN text; null is 0/0. */
function lsnOf(text: string | null): Lsn {
  return text === null ? 0n : parseLsn(text);
}

function unreadable(what: string, cause?: unknown) {
  return fault('WB2020', 'permanent', {
    what: `The source's replication stream holds ${what}.`,
    next: 'Report it with the versions of walbridge and of the source.',
    cause,
  });
}
