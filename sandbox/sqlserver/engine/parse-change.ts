// The grammar of data changes: INSERT, UPDATE and DELETE with OUTPUT.
import type { Expr, Output, SelectItem, Source, Statement } from './ast.ts';
import { DefinitionParser } from './parse-definition.ts';

type Change =
  | Omit<Extract<Statement, { k: 'insert' }>, 'line'>
  | Omit<Extract<Statement, { k: 'update' }>, 'line'>
  | Omit<Extract<Statement, { k: 'delete' }>, 'line'>;

export abstract class ChangeParser extends DefinitionParser {
  protected insert(ctes: Extract<Statement, { k: 'insert' }>['ctes']): Change {
    this.expect('INSERT');
    if (this.is('BULK')) throw this.refuse('INSERT BULK as text');
    if (this.is('TOP')) throw this.refuse('INSERT TOP');
    this.accept('INTO');
    const table = this.tableName();
    const after = this.ahead().word;
    let columns: string[] = [];
    if (!(this.isSymbol('(') && /^(SELECT|WITH)$/.test(after))) {
      this.hints();
      if (this.isSymbol('(')) columns = this.names();
    }
    const output = this.output();
    if (this.accept('DEFAULT', 'VALUES')) return { k: 'insert', ctes, table, columns, output, source: null };
    if (this.is('EXEC') || this.is('EXECUTE')) throw this.refuse('INSERT … EXEC');
    return { k: 'insert', ctes, table, columns, output, source: this.query() };
  }

  private output(): Output | null {
    if (!this.accept('OUTPUT')) return null;
    const items: SelectItem[] = this.commaList(() => this.selectItem());
    if (!this.accept('INTO')) return { items, into: null, columns: [] };
    const into = this.tableName();
    const columns = this.isSymbol('(') && this.ahead().word !== 'SELECT' ? this.names() : [];
    if (this.is('OUTPUT')) throw this.refuse('a second OUTPUT clause');
    return { items, into, columns };
  }

  protected update(ctes: Extract<Statement, { k: 'update' }>['ctes']): Change {
    this.expect('UPDATE');
    const top = this.accept('TOP') ? this.topCount() : null;
    const table = this.tableName();
    this.hints();
    this.expect('SET');
    const set = this.commaList(() => this.assignment());
    const output = this.output();
    const from = this.from();
    const where = this.where();
    return { k: 'update', ctes, top, table, set, output, from, where };
  }

  private assignment(): { column: string; e: Expr } {
    if (this.token.kind === 'variable') throw this.refuse('SET @variable in UPDATE');
    const name = this.multipart();
    const op = this.next().text;
    if (!/^[-+*/%&|^]?=$/.test(op)) throw this.refuse(`${op} in UPDATE`);
    const r: Expr = this.accept('DEFAULT') ? { k: 'column', name: ['DEFAULT'] } : this.expression();
    const e: Expr = op === '=' ? r : { k: 'binary', op: op.charAt(0), l: { k: 'column', name }, r };
    return { column: name.at(-1) as string, e };
  }

  protected delete(ctes: Extract<Statement, { k: 'delete' }>['ctes']): Change {
    this.expect('DELETE');
    const top = this.accept('TOP') ? this.topCount() : null;
    this.accept('FROM');
    const table = this.tableName();
    this.hints();
    const output = this.output();
    const from = this.from();
    return { k: 'delete', ctes, top, table, output, from, where: this.where() };
  }

  private from(): Source | null {
    return this.accept('FROM') ? this.sources() : null;
  }

  private where(): Expr | null {
    const isThere = this.accept('WHERE');
    if (isThere && this.is('CURRENT', 'OF')) throw this.refuse('WHERE CURRENT OF');
    const e = isThere ? this.expression() : null;
    this.option();
    return e;
  }
}
