// Who takes what the WAL tail reads. A method that returns a promise holds the tail back until it resolves; one that has nothing
// to wait for returns undefined, which costs nothing.
import type { Lsn } from '../change/position.ts';
import type { LogicalMessage, Relation, SourceChange, SourceTransaction } from '../change/source-change.ts';

export interface ChangeConsumer {
  begin(transaction: SourceTransaction): void | Promise<void>;
  change(change: SourceChange): void | Promise<void>;
  commit(transaction: SourceTransaction): void | Promise<void>;
  /** A transactional message comes between its transaction's begin and commit, another one between transactions. */
  message(message: LogicalMessage): void | Promise<void>;
  /** A relation seen for the first time, or one whose shape differs from the last; its later changes carry this very object. */
  relation(relation: Relation, previous: Relation | null): void;
  /** Every transaction that commits at or before `lsn` was handed over and consumed; no transaction is in hand. */
  idle(lsn: Lsn): void;
  /** The slot is taken, and its stream begins at its confirmed position: forget the transaction in hand, changes come again. */
  restarted(): void;
}
