// The grammar of a batch: data changes, control of flow, transactions, procedures. Entry point of the parser.
// A batch is read as a whole before it runs: a syntax error anywhere leaves nothing done, as in SQL Server.
import type { Argument, Expr, Statement } from './ast.ts';
import { ChangeParser } from './parse-change.ts';

type Unplaced = Statement extends infer S ? (S extends { line: number } ? Omit<S, 'line'> : never) : never;

/**
 * Throws SqlError 102, 156 (with line) or names what is not supported. Only at a batch's beginning, that is `first`, may a
 * procedure's name stand for its EXEC.
 */
export function parseBatch(sql: string, first = true): Statement[] {
  return new BatchParser(sql).batch(first);
}

class BatchParser extends ChangeParser {
  batch(first: boolean): Statement[] {
    const statements: Statement[] = [];
    for (;;) {
      while (this.acceptSymbol(';'));
      if (this.token.kind === 'end') return statements;
      statements.push(this.statement(first && statements.length === 0));
    }
  }

  wholeName(): readonly string[] {
    const name = this.tableName();
    if (this.token.kind !== 'end') throw this.unexpected();
    return name;
  }

  private statement(first = false): Statement {
    const { line } = this.token;
    const statement = { line, ...this.unplaced(first) } as Statement;
    while (this.acceptSymbol(';'));
    return statement;
  }

  private statementsUntil(...end: string[]): Statement[] {
    const list: Statement[] = [];
    while (this.acceptSymbol(';'));
    while (!this.is(...end)) {
      if (this.token.kind === 'end') throw this.unexpected();
      list.push(this.statement());
    }
    this.expect(...end);
    return list;
  }

  private unplaced(first: boolean): Unplaced {
    const { word, text } = this.token;
    switch (word) {
      case 'WITH': {
        const ctes = this.ctes();
        if (this.is('INSERT')) return this.insert(ctes);
        if (this.is('UPDATE')) return this.update(ctes);
        if (this.is('DELETE')) return this.delete(ctes);
        return { k: 'query', query: this.queryAfter(ctes) };
      }
      case 'SELECT':
        return { k: 'query', query: this.query() };
      case 'INSERT':
        return this.insert([]);
      case 'UPDATE':
        return this.update([]);
      case 'DELETE':
        return this.delete([]);
      case 'TRUNCATE':
        this.expect('TRUNCATE', 'TABLE');
        return { k: 'truncate', table: this.multipart() };
      case 'CREATE':
        return this.create();
      case 'ALTER':
        return this.alter();
      case 'DROP':
        return this.drop();
      case 'DECLARE':
        return this.declare();
      case 'SET':
        return this.set();
      case 'BEGIN':
        return this.begin();
      case 'COMMIT':
        this.next();
        this.transactionWord();
        if (this.isName() || this.token.kind === 'variable') this.next();
        return { k: 'commit' };
      case 'ROLLBACK':
        this.next();
        this.transactionWord();
        return { k: 'rollback', name: this.savepoint() };
      case 'SAVE': {
        this.next();
        this.transactionWord();
        const name = this.savepoint();
        if (!name) throw this.unexpected();
        return { k: 'save', name };
      }
      case 'IF':
        return this.ifStatement();
      case 'WHILE': {
        this.next();
        const test = this.expression();
        return { k: 'while', test, body: this.statement() };
      }
      case 'BREAK':
        this.next();
        return { k: 'break' };
      case 'CONTINUE':
        this.next();
        return { k: 'continue' };
      case 'THROW':
        this.next();
        return { k: 'throw', args: this.endsHere() ? [] : this.commaList(() => this.expression()) };
      case 'RAISERROR': {
        this.next();
        const args = this.parenthesised(() => this.commaList(() => this.expression()));
        if (this.accept('WITH') && !this.accept('NOWAIT'))
          throw this.refuse('RAISERROR WITH LOG or SETERROR');
        return { k: 'raiserror', args };
      }
      case 'PRINT':
        this.next();
        return { k: 'print', e: this.expression() };
      case 'RETURN':
        this.next();
        return { k: 'return', e: this.endsHere() ? null : this.expression() };
      case 'USE':
        this.next();
        return { k: 'use', name: this.identifier() };
      case 'WAITFOR':
        this.next();
        this.expect('DELAY');
        return { k: 'waitfor', delay: this.sum() };
      case 'EXEC':
      case 'EXECUTE':
        this.next();
        return this.execute();
      default:
        if (first && this.isName()) return this.execute();
        if (
          /^(MERGE|GRANT|DENY|REVOKE|BACKUP|RESTORE|DBCC|KILL|GOTO|OPEN|FETCH|CLOSE|DEALLOCATE|BULK|RECONFIGURE|SHUTDOWN|CHECKPOINT)$/.test(
            word,
          )
        ) {
          throw this.refuse(text.toUpperCase());
        }
        throw this.unexpected();
    }
  }

  /** Whether a statement that may stand without arguments ends at this token. */
  private endsHere(): boolean {
    const { kind, text, word } = this.token;
    if (kind === 'end' || (kind === 'symbol' && text === ';')) return true;
    return /^(END|ELSE|SELECT|INSERT|UPDATE|DELETE|SET|IF|BEGIN|EXEC|EXECUTE|PRINT|RETURN|COMMIT|ROLLBACK|DECLARE|THROW|RAISERROR|CREATE|DROP|ALTER|WHILE)$/.test(
      word,
    );
  }

  private transactionWord(): void {
    if (!this.accept('TRAN') && !this.accept('TRANSACTION')) this.accept('WORK');
  }

  private savepoint(): Expr | null {
    if (this.token.kind === 'variable') return { k: 'variable', name: this.next().text };
    return this.isName() && !this.endsHere() ? { k: 'literal', type: 'varchar', v: this.identifier() } : null;
  }

  private begin(): Unplaced {
    this.expect('BEGIN');
    if (this.is('TRAN') || this.is('TRANSACTION')) {
      this.next();
      this.savepoint();
      if (this.is('WITH', 'MARK')) throw this.refuse('BEGIN TRANSACTION WITH MARK');
      return { k: 'begin' };
    }
    if (this.accept('TRY')) {
      const body = this.statementsUntil('END', 'TRY');
      while (this.acceptSymbol(';'));
      this.expect('BEGIN', 'CATCH');
      return { k: 'try', body, handler: this.statementsUntil('END', 'CATCH') };
    }
    if (this.is('DISTRIBUTED') || this.is('ATOMIC')) throw this.refuse(`BEGIN ${this.token.word}`);
    return { k: 'block', body: this.statementsUntil('END') };
  }

  private ifStatement(): Unplaced {
    this.expect('IF');
    const test = this.expression();
    const body = this.statement();
    return { k: 'if', test, body, otherwise: this.accept('ELSE') ? this.statement() : null };
  }

  private declare(): Unplaced {
    this.expect('DECLARE');
    if (this.ahead().word === 'CURSOR' || this.is('CURSOR')) throw this.refuse('CURSOR');
    if (this.ahead().word === 'TABLE' || (this.ahead().word === 'AS' && this.ahead(2).word === 'TABLE')) {
      const name = this.variable();
      this.accept('AS');
      this.expect('TABLE');
      return { k: 'declareTable', name, ...this.tableBody() };
    }
    return {
      k: 'declare',
      variables: this.commaList(() => {
        const name = this.variable();
        this.accept('AS');
        if (this.is('CURSOR')) throw this.refuse('CURSOR');
        const type = this.dataType(false);
        return { name, type, e: this.acceptSymbol('=') ? this.expression() : null };
      }),
    };
  }

  private set(): Unplaced {
    this.expect('SET');
    if (this.token.kind === 'variable') {
      const name = this.variable();
      const op = this.next().text;
      if (!/^[-+*/%&|^]?=$/.test(op)) throw this.refuse(`SET ${name} ${op}`);
      const r = this.expression();
      if (op === '=') return { k: 'setVariable', name, e: r };
      return { k: 'setVariable', name, e: { k: 'binary', op: op.charAt(0), l: { k: 'variable', name }, r } };
    }
    if (this.accept('TRANSACTION', 'ISOLATION', 'LEVEL')) {
      let value = this.next().word;
      if (value === 'READ' || value === 'REPEATABLE') value += ` ${this.next().word}`;
      return { k: 'setOption', option: 'ISOLATION', value, arg: null };
    }
    if (this.accept('IDENTITY_INSERT')) {
      const table = this.multipart().join('.');
      return { k: 'setOption', option: 'IDENTITY_INSERT', value: `${this.next().word} ${table}`, arg: null };
    }
    if (this.is('STATISTICS')) throw this.refuse(`SET STATISTICS ${this.ahead().word}`);
    const option = this.commaList(() => this.next().word).join(',');
    if (this.token.word === 'ON' || this.token.word === 'OFF') {
      return { k: 'setOption', option, value: this.next().word, arg: null };
    }
    if (this.token.kind === 'word') return { k: 'setOption', option, value: this.next().text, arg: null };
    return { k: 'setOption', option, value: '', arg: this.sum() };
  }

  private execute(): Unplaced {
    if (this.isSymbol('(')) return { k: 'executeText', e: this.parenthesised(() => this.expression()) };
    let result: string | null = null;
    if (this.token.kind === 'variable') {
      result = this.variable();
      this.expectSymbol('=');
    }
    const procedure = this.multipart();
    const args: Argument[] = [];
    if (!this.endsHere()) args.push(...this.commaList(() => this.procedureArgument()));
    return { k: 'execute', procedure, args, result };
  }

  private procedureArgument(): Argument {
    let name: string | null = null;
    if (this.token.kind === 'variable' && this.ahead().text === '=' && this.ahead().kind === 'symbol') {
      name = this.variable();
      this.expectSymbol('=');
    }
    // A bare word is a string here (EXEC sp_help orders).
    const e: Expr = this.isName()
      ? { k: 'literal', type: 'nvarchar', v: this.multipart().join('.') }
      : this.sum();
    const output = this.accept('OUTPUT') || this.accept('OUT');
    return { name, e, output };
  }
}

/** A table's name as INSERT BULK sends it. */
export function parseName(text: string): readonly string[] {
  return new BatchParser(text).wholeName();
}
