// A position in a batch's tokens, and the small readings that every part of the grammar shares.
import type { SqlType } from '../session.ts';
import type { Name } from './ast.ts';
import { errors, type SqlError, unsupported } from './errors.ts';
import { type Token, tokenize } from './lexer.ts';
import { declared } from './types.ts';

/** Words that end an expression or an alias: T-SQL's reserved keywords, as far as this grammar meets them. */
const RESERVED = new Set(
  `ADD ALL ALTER AND ANY AS ASC AUTHORIZATION BACKUP BEGIN BETWEEN BREAK BROWSE BULK BY CASCADE CASE CHECK CHECKPOINT CLOSE CLUSTERED
  COALESCE COLLATE COLUMN COMMIT COMPUTE CONSTRAINT CONTAINS CONTINUE CONVERT CREATE CROSS CURRENT CURSOR DATABASE DBCC DEALLOCATE DECLARE
  DEFAULT DELETE DENY DESC DISTINCT DROP ELSE END ESCAPE EXCEPT EXEC EXECUTE EXISTS EXIT FETCH FOR FOREIGN FROM FULL FUNCTION GOTO GRANT
  GROUP HAVING HOLDLOCK IDENTITY_INSERT IF IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY KILL LEFT LIKE MERGE NATIONAL
  NOCHECK NONCLUSTERED NOT NULL NULLIF OF OFF ON OPEN OPTION OR ORDER OUTER OVER PERCENT PIVOT PLAN PRIMARY PRINT PROC PROCEDURE
  RAISERROR READ RECONFIGURE REFERENCES RESTORE RETURN REVERT REVOKE RIGHT ROLLBACK SAVE SCHEMA SELECT SET SHUTDOWN SOME
  STATISTICS TABLE TABLESAMPLE THEN TO TOP TRAN TRANSACTION TRIGGER TRUNCATE TRY_CONVERT UNION UNIQUE UNPIVOT UPDATE USE VALUES VIEW
  WAITFOR WHEN WHERE WHILE WITH`.split(/\s+/),
);

export class Cursor {
  protected readonly sql: string;
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(sql: string) {
    this.sql = sql;
    this.tokens = tokenize(sql);
  }

  protected get token(): Token {
    return this.tokens[this.at] as Token;
  }

  protected ahead(n = 1): Token {
    return this.tokens[Math.min(this.at + n, this.tokens.length - 1)] as Token;
  }

  protected next(): Token {
    const token = this.token;
    if (token.kind !== 'end') this.at++;
    return token;
  }

  /** The source text since `start`, for constraints and views that show their definition. */
  protected textSince(start: number): string {
    return this.sql.slice(start, this.ahead(-1).stop);
  }

  /** Whether the words stand here, one after the other. */
  protected is(...words: string[]): boolean {
    return words.every((word, i) => this.ahead(i).word === word);
  }

  protected accept(...words: string[]): boolean {
    if (!this.is(...words)) return false;
    this.at += words.length;
    return true;
  }

  protected expect(...words: string[]): void {
    for (const word of words) if (!this.accept(word)) throw this.unexpected();
  }

  protected isSymbol(text: string): boolean {
    return this.token.kind === 'symbol' && this.token.text === text;
  }

  protected acceptSymbol(text: string): boolean {
    if (!this.isSymbol(text)) return false;
    this.at++;
    return true;
  }

  protected expectSymbol(text: string): void {
    if (!this.acceptSymbol(text)) throw this.unexpected();
  }

  protected unexpected(): SqlError {
    const { text, word, line } = this.token;
    const error = word && RESERVED.has(word) ? errors.keyword(text) : errors.syntax(text);
    error.line = line;
    return error;
  }

  protected refuse(construct: string): SqlError {
    const error = unsupported(construct);
    error.line = this.token.line;
    return error;
  }

  /** Whether a name (quoted, or a word that is not reserved) stands here. */
  protected isName(): boolean {
    return this.token.kind === 'quoted' || (this.token.kind === 'word' && !RESERVED.has(this.token.word));
  }

  protected identifier(): string {
    if (!this.isName()) throw this.unexpected();
    const { text } = this.next();
    if (Buffer.byteLength(text) > 63) throw this.refuse(`the name '${text.slice(0, 20)}…' beyond 63 bytes`);
    return text;
  }

  /** One to four parts; an empty one is the default schema (`tempdb..#t`). */
  protected multipart(): Name {
    const parts = [this.identifier()];
    while (this.acceptSymbol('.')) parts.push(this.isSymbol('.') ? '' : this.identifier());
    if (parts.length > 3) throw this.refuse(`the linked server in ${parts.join('.')}`);
    return parts;
  }

  /** A table's name, or a table variable's. */
  protected tableName(): Name {
    if (this.token.kind === 'variable') return [this.next().text];
    return this.multipart();
  }

  protected variable(): string {
    if (this.token.kind !== 'variable') throw this.unexpected();
    return this.next().text;
  }

  protected commaList<T>(one: () => T): T[] {
    const list = [one()];
    while (this.acceptSymbol(',')) list.push(one());
    return list;
  }

  protected parenthesised<T>(inner: () => T): T {
    this.expectSymbol('(');
    const value = inner();
    this.expectSymbol(')');
    return value;
  }

  protected names(): string[] {
    return this.parenthesised(() => this.commaList(() => this.identifier()));
  }

  protected integer(): number {
    if (this.token.kind !== 'number' || !/^\d+$/.test(this.token.text)) throw this.unexpected();
    return Number(this.next().text);
  }

  protected dataType(cast: boolean): SqlType {
    let name = this.identifierOfType();
    if (this.acceptSymbol('.')) name = this.identifierOfType();
    if (
      /^(double|character|char|national)$/i.test(name) &&
      /^(precision|varying|character)$/i.test(this.token.text)
    ) {
      name += ` ${this.next().text.toLowerCase()}`;
    }
    const size: (number | 'max')[] = [];
    if (this.acceptSymbol('(')) {
      size.push(...this.commaList(() => (this.accept('MAX') ? 'max' : this.integer())));
      this.expectSymbol(')');
    }
    return declared(name, size, cast);
  }

  private identifierOfType(): string {
    return this.is('NATIONAL') ? this.next().text : this.identifier();
  }
}
