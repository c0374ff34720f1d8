// The traffic's transactions: a pure function of a seeded generator and the model, so that the same seed makes the same ones.
import type { CrmModel } from './model.ts';
import { changeMany, Draft, operations, truncateActivities } from './operations.ts';
import type { Random } from './random.ts';

interface Mix {
  readonly insert: number;
  readonly update: number;
  readonly delete: number;
}

export interface TransactionOptions {
  /** Weights. */
  readonly mix: Mix;
  /** Share of the picks that go to eight rows of a table. */
  readonly hotShare: number;
  readonly truncate: boolean;
  /** Rows of a large transaction, about one in a hundred; 0: none. */
  readonly largeTransactionRows: number;
}

export const defaultTransactions: TransactionOptions = {
  mix: { insert: 40, update: 45, delete: 15 },
  hotShare: 0.3,
  truncate: false,
  largeTransactionRows: 0,
};

export interface CrmTransaction {
  /** From BEGIN to COMMIT or ROLLBACK. */
  readonly sql: string;
  readonly isCommitted: boolean;
  /** Rows it writes for good, without those of cascades. */
  readonly changes: number;
  readonly operations: readonly string[];
}

function choose<T>(random: Random, choices: readonly (readonly [choice: T, weight: number])[]): T {
  let left = random.next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [choice, weight] of choices) {
    left -= weight;
    if (left < 0) return choice;
  }
  throw new Error('the weights are all zero');
}

/** The next transaction; the model is already as it will be after it. */
export function nextTransaction(
  random: Random,
  model: CrmModel,
  options: TransactionOptions,
): CrmTransaction {
  const draft = new Draft(random, model, options.hotShare);
  const names: string[] = [];
  const kinds = Object.entries(options.mix) as [keyof Mix, number][];
  const operate = () => {
    const operation = choose(random, operations[choose(random, kinds)]);
    operation(draft);
    names.push(operation.name);
  };
  for (let count = random.chance(0.4) ? 1 : 2 + random.below(6); count > 0; count--) operate();
  if (options.truncate && random.chance(0.005)) {
    truncateActivities(draft);
    names.push('truncate');
  }
  if (options.largeTransactionRows > 0 && random.chance(0.01)) {
    changeMany(draft, options.largeTransactionRows);
    names.push('large');
  }
  if (random.chance(0.1)) {
    const [savepoint, kept] = [model.savepoint(), draft.changes];
    draft.statements.push('SAVEPOINT before');
    operate();
    draft.statements.push('ROLLBACK TO SAVEPOINT before');
    model.rollbackTo(savepoint);
    draft.changes = kept;
    names.push('savepointRollback');
    operate();
  }
  const isCommitted = !random.chance(0.03);
  if (!isCommitted) model.rollbackTo(0);
  model.commit();
  const sql = [...draft.statements, isCommitted ? 'COMMIT' : 'ROLLBACK'].join(';\n');
  return { sql, isCommitted, changes: isCommitted ? draft.changes : 0, operations: names };
}
