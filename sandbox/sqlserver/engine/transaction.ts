// A session's transaction over PostgreSQL's: nesting by count, savepoints, and dooming under XACT_ABORT.
// A doomed transaction is rolled back in PostgreSQL at once (its locks go early); the session sees it as open until ROLLBACK.
import type { ResultSink } from '../session.ts';
import type { Connection } from './connection.ts';
import { sqlError } from './errors.ts';
import { quote } from './scope.ts';

let descriptors = 1n;

const ISOLATION: Readonly<Record<string, string>> = {
  'READ UNCOMMITTED': 'READ COMMITTED',
  'READ COMMITTED': 'READ COMMITTED',
  'REPEATABLE READ': 'REPEATABLE READ',
  SNAPSHOT: 'REPEATABLE READ',
  SERIALIZABLE: 'SERIALIZABLE',
};

export class Transaction {
  count = 0;
  doomed = false;
  isolation = 'READ COMMITTED';
  private descriptor = 0n;
  private readonly connection: () => Connection;
  private readonly ended: (committed: boolean) => void;

  /** `ended` hears of every end, so that remembered tables can be forgotten. */
  constructor(connection: () => Connection, ended: (committed: boolean) => void) {
    this.connection = connection;
    this.ended = ended;
  }

  /** PostgreSQL has a transaction open. */
  get live(): boolean {
    return this.count > 0 && !this.doomed;
  }

  setIsolation(level: string): void {
    if (!ISOLATION[level]) throw sqlError(102, level);
    this.isolation = level;
  }

  async begin(sink: ResultSink): Promise<void> {
    if (this.doomed) throw sqlError(3930);
    if (this.count === 0) {
      this.connection().begin(ISOLATION[this.isolation]!);
      this.descriptor = descriptors++;
      sink.transaction('begin', this.descriptor);
    }
    this.count++;
  }

  async commit(sink: ResultSink): Promise<void> {
    if (this.count === 0) throw sqlError(3902);
    if (this.doomed) throw sqlError(3930);
    if (this.count > 1) {
      this.count--;
      return;
    }
    try {
      await this.connection().end('COMMIT');
    } catch (error) {
      this.end(sink, 'rollback');
      throw error;
    }
    this.end(sink, 'commit');
  }

  /** Of the whole transaction; to a savepoint with a name. */
  async rollback(sink: ResultSink, savepoint: string | null): Promise<void> {
    if (this.count === 0) throw sqlError(3903);
    if (savepoint) {
      if (this.doomed) throw sqlError(3930);
      await this.toSavepoint(savepoint);
      return;
    }
    if (!this.doomed) await this.connection().end('ROLLBACK');
    this.end(sink, 'rollback');
  }

  private async toSavepoint(name: string): Promise<void> {
    await this.connection().script('SAVEPOINT _probe');
    try {
      await this.connection().script(`ROLLBACK TO SAVEPOINT ${quote(savepointName(name))}`);
      this.ended(false);
    } catch {
      await this.connection().script('ROLLBACK TO SAVEPOINT _probe; RELEASE SAVEPOINT _probe');
      throw sqlError(6401, name);
    }
  }

  async save(name: string): Promise<void> {
    if (this.count === 0) throw sqlError(628);
    if (this.doomed) throw sqlError(3930);
    await this.connection().script(`SAVEPOINT ${quote(savepointName(name))}`);
  }

  /** After an error that leaves nothing to commit: inside TRY the transaction stays, doomed; else it is gone. */
  async fail(sink: ResultSink, inTry: boolean): Promise<void> {
    if (this.count === 0) return;
    if (!this.doomed) await this.connection().end('ROLLBACK');
    if (inTry) {
      this.doomed = true;
      this.ended(false);
    } else this.end(sink, 'rollback');
  }

  private end(sink: ResultSink, how: 'commit' | 'rollback'): void {
    this.count = 0;
    this.doomed = false;
    sink.transaction(how, this.descriptor);
    this.ended(how === 'commit');
  }
}

/** SQL Server compares savepoint names by case; they may be any string. */
const savepointName = (name: string): string => `s:${name}`.slice(0, 60);
