// A consumer that writes down what the WAL tail hands over, and a wait for a condition; shared by the capture tests.
import { setTimeout as pause } from 'node:timers/promises';
import type { ChangeConsumer } from '../../src/capture/change-consumer.ts';
import type { Lsn } from '../../src/change/position.ts';
import type {
  LogicalMessage,
  Relation,
  SourceChange,
  SourceTransaction,
} from '../../src/change/source-change.ts';

export interface RecordedTransaction extends SourceTransaction {
  readonly changes: SourceChange[];
  readonly messages: LogicalMessage[];
}

export class Recorder implements ChangeConsumer {
  /** Committed ones since the last restart. */
  transactions: RecordedTransaction[] = [];
  readonly looseMessages: LogicalMessage[] = [];
  readonly relations: { readonly relation: Relation; readonly previous: Relation | null }[] = [];
  restarts = 0;
  idleLsn: Lsn = 0n;
  #open: RecordedTransaction | null = null;
  /** Called with each idle position. */
  onIdle: (lsn: Lsn) => void = () => {};
  /** Called with each change; what it returns is what `change` returns. */
  onChange: (change: SourceChange) => void | Promise<void> = () => {};

  begin(transaction: SourceTransaction): void {
    if (this.#open !== null) throw new Error('begin within a transaction');
    this.#open = { ...transaction, changes: [], messages: [] };
  }

  change(change: SourceChange): void | Promise<void> {
    this.#open!.changes.push(change);
    return this.onChange(change);
  }

  commit(transaction: SourceTransaction): void {
    if (this.#open?.commitLsn !== transaction.commitLsn) throw new Error('commit of another transaction');
    this.transactions.push(this.#open);
    this.#open = null;
  }

  message(message: LogicalMessage): void {
    if (message.transactional) this.#open!.messages.push(message);
    else this.looseMessages.push(message);
  }

  relation(relation: Relation, previous: Relation | null): void {
    this.relations.push({ relation, previous });
  }

  idle(lsn: Lsn): void {
    if (this.#open !== null) throw new Error('idle within a transaction');
    this.idleLsn = lsn;
    this.onIdle(lsn);
  }

  restarted(): void {
    this.restarts += 1;
    this.transactions = [];
    this.#open = null;
  }

  get changes(): SourceChange[] {
    return this.transactions.flatMap((transaction) => transaction.changes);
  }
}

/** Polls until `condition` gives something truthy. @throws Error after `timeoutMs`. */
export async function until<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = 20_000,
): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + timeoutMs; ; await pause(10)) {
    const value = await condition();
    if (value) return value as NonNullable<T>;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
  }
}
