// The traffic's transactions: a pure function of a seeded generator and the model, so that the same seed makes the same ones.
import type { CrmModel } from './model.ts';
import { type Draft, largeChange, operations, truncateActivities } from './operations.ts';
import type { Random } from './random.ts';

export interface Mix {
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

export interface CrmTransaction {
  /** From BEGIN to COMMIT or ROLLBACK. */
  readonly sql: string;
  readonly isCommitted: boolean;
  /** Rows it writes for good, without those of cascades. */
  readonly changes: number;
  readonly operations: readonly string[];
}

function weighted<T>(random: Random, choices: Readonly<Record<string, readonly [number, T]>>): [string, T] {
  const entries = Object.entries(choices);
  let left = random.next() * entries.reduce((sum, [, [weight]]) => sum + weight, 0);
  for (const [name, [weight, choice]] of entries) {
    left -= weight;
    if (left < 0) return [name, choice];
  }
  throw new Error('the weights are all zero');
}

/** The next transaction; the model is already as it will be after it. */
export function nextTransaction(
  random: Random,
  model: CrmModel,
  options: TransactionOptions,
): CrmTransaction {
  const statements: string[] = ['BEGIN'];
  const names: string[] = [];
  let changes = 0;
  const draft: Draft = {
    hotShare: options.hotShare,
    random,
    model,
    write: (sql, rows = 1) => {
      statements.push(sql);
      changes += rows;
    },
  };
  const { mix } = options;
  const kinds = {
    insert: [mix.insert, 'insert'],
    update: [mix.update, 'update'],
    delete: [mix.delete, 'delete'],
  } as const;
  const operate = () => {
    const [, kind] = weighted<keyof Mix>(random, kinds);
    const [name, operation] = weighted(random, operations[kind]);
    operation(draft);
    names.push(name);
  };
  for (let count = random.chance(0.4) ? 1 : 2 + random.below(6); count > 0; count--) operate();
  if (options.truncate && random.chance(0.005)) {
    truncateActivities(draft);
    names.push('truncate');
  }
  if (options.largeTransactionRows > 0 && random.chance(0.01)) {
    largeChange(draft, options.largeTransactionRows);
    names.push('large');
  }
  if (random.chance(0.1)) {
    const [savepoint, kept] = [model.savepoint(), changes];
    statements.push('SAVEPOINT before');
    operate();
    statements.push('ROLLBACK TO SAVEPOINT before');
    model.rollbackTo(savepoint);
    changes = kept;
    names.push('savepointRollback');
    operate();
  }
  const isCommitted = !random.chance(0.03);
  if (!isCommitted) model.rollbackTo(0);
  model.commit();
  statements.push(isCommitted ? 'COMMIT' : 'ROLLBACK');
  return { sql: statements.join(';\n'), isCommitted, changes: isCommitted ? changes : 0, operations: names };
}
