// The grammar of queries: SELECT, set operations, common table expressions, FROM.
// (https://learn.microsoft.com/sql/t-sql/queries/select-transact-sql)
import type { Body, Cte, Expr, JsonColumn, Query, SelectItem, Source, Top } from './ast.ts';
import { ExpressionParser } from './parse-expression.ts';

const HINTS = new Set(
  'UPDLOCK HOLDLOCK ROWLOCK PAGLOCK TABLOCK TABLOCKX XLOCK NOLOCK READUNCOMMITTED READCOMMITTED READCOMMITTEDLOCK REPEATABLEREAD SERIALIZABLE READPAST SNAPSHOT NOWAIT'.split(
    ' ',
  ),
);

const NO_ALIAS = new Set('OUTPUT OFFSET CROSS OUTER APPLY THROW GO'.split(' '));

export abstract class QueryParser extends ExpressionParser {
  protected query(): Query {
    const ctes = this.ctes();
    return this.queryAfter(ctes);
  }

  protected ctes(): Cte[] {
    if (!this.accept('WITH')) return [];
    return this.commaList(() => {
      const name = this.identifier();
      const columns = this.isSymbol('(') ? this.names() : [];
      this.expect('AS');
      return { name, columns, query: this.parenthesised(() => this.query()) };
    });
  }

  protected queryAfter(ctes: readonly Cte[]): Query {
    const body = this.body();
    const order = this.accept('ORDER', 'BY') ? this.orderItems() : [];
    let offset: Expr | null = null;
    let fetch: Expr | null = null;
    if (this.accept('OFFSET')) {
      offset = this.sum();
      this.expect(this.is('ROW') ? 'ROW' : 'ROWS');
      if (this.accept('FETCH')) {
        if (!this.accept('NEXT')) this.expect('FIRST');
        fetch = this.sum();
        this.expect(this.is('ROW') ? 'ROW' : 'ROWS');
        this.expect('ONLY');
      }
    }
    if (this.is('FOR')) throw this.refuse(`FOR ${this.ahead().text.toUpperCase()}`);
    this.option();
    return { ctes, body, order, offset, fetch };
  }

  /** OPTION (…) advises the optimizer: nothing here to advise, but its words must be known. */
  protected option(): void {
    if (!this.accept('OPTION')) return;
    this.parenthesised(() => {
      while (!this.isSymbol(')')) {
        const { word, kind, text } = this.next();
        const known =
          /^(RECOMPILE|MAXDOP|LOOP|HASH|MERGE|JOIN|FORCE|ORDER|FAST|MAXRECURSION|KEEP|KEEPFIXED|PLAN|OPTIMIZE|FOR|UNKNOWN|CONCAT|UNION|GROUP)$/;
        if (kind === 'end' || (kind === 'word' && !known.test(word))) throw this.refuse(`query hint ${text}`);
      }
    });
  }

  private body(): Body {
    let l = this.intersection();
    for (;;) {
      if (this.accept('UNION')) {
        l = { k: 'set', op: this.accept('ALL') ? 'UNION ALL' : 'UNION', l, r: this.intersection() };
      } else if (this.accept('EXCEPT')) {
        l = { k: 'set', op: 'EXCEPT', l, r: this.intersection() };
      } else return l;
    }
  }

  private intersection(): Body {
    let l = this.bodyTerm();
    while (this.accept('INTERSECT')) l = { k: 'set', op: 'INTERSECT', l, r: this.bodyTerm() };
    return l;
  }

  private bodyTerm(): Body {
    if (this.isSymbol('(')) return this.parenthesised(() => this.body());
    if (this.is('VALUES')) return this.values();
    return this.select();
  }

  protected values(): Body {
    this.expect('VALUES');
    return {
      k: 'values',
      rows: this.commaList(() => this.parenthesised(() => this.commaList(() => this.valueOrDefault()))),
    };
  }

  private valueOrDefault(): Expr {
    return this.accept('DEFAULT') ? { k: 'column', name: ['DEFAULT'] } : this.expression();
  }

  private select(): Body {
    this.expect('SELECT');
    const distinct = this.accept('DISTINCT');
    if (!distinct) this.accept('ALL');
    const top = this.top();
    const items = this.commaList(() => this.selectItem());
    const into = this.accept('INTO') ? this.multipart() : null;
    const from = this.accept('FROM') ? this.sources() : null;
    const where = this.accept('WHERE') ? this.expression() : null;
    const { group, rollup } = this.groups();
    const having = this.accept('HAVING') ? this.expression() : null;
    return { k: 'select', distinct, top, items, into, from, where, group, rollup, having };
  }

  private groups(): { group: Expr[]; rollup: 'ROLLUP' | 'CUBE' | null } {
    if (!this.accept('GROUP', 'BY')) return { group: [], rollup: null };
    if (this.is('GROUPING')) throw this.refuse('GROUP BY GROUPING SETS');
    const before = this.rollup();
    const list = (): Expr[] => this.commaList(() => this.expression());
    const group = before ? this.parenthesised(list) : list();
    if (before || !this.accept('WITH')) return { group, rollup: before };
    const rollup = this.rollup();
    if (!rollup) throw this.unexpected();
    return { group, rollup };
  }

  private rollup(): 'ROLLUP' | 'CUBE' | null {
    return this.accept('ROLLUP') ? 'ROLLUP' : this.accept('CUBE') ? 'CUBE' : null;
  }

  private top(): Top | null {
    if (!this.accept('TOP')) return null;
    const count = this.topCount();
    if (this.is('PERCENT')) throw this.refuse('TOP … PERCENT');
    return { count, ties: this.accept('WITH', 'TIES') };
  }

  protected topCount(): Expr {
    if (this.isSymbol('(')) return this.parenthesised(() => this.expression());
    return { k: 'literal', type: 'int', v: String(this.integer()) };
  }

  protected selectItem(): SelectItem {
    const after = this.ahead();
    if (this.token.kind === 'variable' && after.kind === 'symbol' && /^[-+]?=$/.test(after.text)) {
      const variable = this.next().text;
      const op = this.next().text;
      const r = this.expression();
      const e: Expr =
        op === '=' ? r : { k: 'binary', op: op.charAt(0), l: { k: 'variable', name: variable }, r };
      return { e, alias: null, variable };
    }
    if (this.isName() && after.kind === 'symbol' && after.text === '=') {
      const alias = this.identifier();
      this.expectSymbol('=');
      return { e: this.expression(), alias, variable: null };
    }
    const e = this.expression();
    return { e, alias: this.alias(true), variable: null };
  }

  protected alias(strings: boolean): string | null {
    const as = this.accept('AS');
    if (strings && this.token.kind === 'string') return this.next().text;
    if (as) return this.identifier();
    return this.isName() && !NO_ALIAS.has(this.token.word) ? this.identifier() : null;
  }

  protected sources(): Source {
    let l = this.joined();
    while (this.acceptSymbol(',')) l = { k: 'join', kind: 'CROSS', l, r: this.joined(), on: null };
    return l;
  }

  private joined(): Source {
    let l = this.source();
    for (;;) {
      if (this.accept('CROSS', 'JOIN')) l = { k: 'join', kind: 'CROSS', l, r: this.source(), on: null };
      else if (this.accept('CROSS', 'APPLY'))
        l = { k: 'join', kind: 'CROSS APPLY', l, r: this.source(), on: null };
      else if (this.accept('OUTER', 'APPLY'))
        l = { k: 'join', kind: 'OUTER APPLY', l, r: this.source(), on: null };
      else {
        const kind = this.joinKind();
        if (!kind) return l;
        const r = this.source();
        this.expect('ON');
        l = { k: 'join', kind, l, r, on: this.expression() };
      }
    }
  }

  private joinKind(): 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | null {
    const { word } = this.token;
    if (word === 'JOIN' || word === 'INNER') {
      this.accept('INNER');
      if (['HASH', 'MERGE', 'LOOP'].includes(this.token.word)) this.next();
      this.expect('JOIN');
      return 'INNER';
    }
    if (word !== 'LEFT' && word !== 'RIGHT' && word !== 'FULL') return null;
    this.next();
    this.accept('OUTER');
    if (['HASH', 'MERGE', 'LOOP'].includes(this.token.word)) this.next();
    this.expect('JOIN');
    return word;
  }

  private source(): Source {
    if (this.isSymbol('(')) {
      const inner = this.ahead();
      if (inner.word !== 'SELECT' && inner.word !== 'VALUES' && inner.word !== 'WITH') {
        return this.parenthesised(() => this.sources());
      }
      const query = this.parenthesised(() => this.query());
      const alias = this.alias(false);
      if (!alias) throw this.unexpected();
      return { k: 'derived', query, alias, columns: this.isSymbol('(') ? this.names() : [] };
    }
    const name = this.tableName();
    if (this.isSymbol('(') && name.length === 1) return this.tableFunction(name[0] as string);
    if (this.isSymbol('(')) throw this.refuse(`table function ${name.join('.')}`);
    let hints = this.hints();
    const alias = this.alias(false);
    if (['TABLESAMPLE', 'PIVOT', 'UNPIVOT'].includes(this.token.word)) throw this.refuse(this.token.word);
    if (this.is('FOR') && this.ahead().word.startsWith('SYSTEM')) throw this.refuse('FOR SYSTEM_TIME');
    hints = [...hints, ...this.hints()];
    return { k: 'table', name, alias, hints };
  }

  protected hints(): string[] {
    if (!this.is('WITH') && !(this.isSymbol('(') && HINTS.has(this.ahead().word))) return [];
    this.accept('WITH');
    return this.parenthesised(() => {
      const list: string[] = [];
      while (!this.isSymbol(')')) {
        const { word, text } = this.next();
        if (word === 'INDEX' || word === 'FORCESEEK') {
          if (this.acceptSymbol('=')) this.next();
          else if (this.isSymbol('(')) this.parenthesised(() => this.commaList(() => this.next()));
        } else if (HINTS.has(word)) list.push(word);
        else throw this.refuse(`table hint ${text}`);
        this.acceptSymbol(',');
      }
      return list;
    });
  }

  private tableFunction(name: string): Source {
    const upper = name.toUpperCase();
    if (upper !== 'OPENJSON' && upper !== 'STRING_SPLIT') throw this.refuse(`table function ${name}`);
    const args = this.parenthesised(() => this.commaList(() => this.expression()));
    let json: JsonColumn[] | null = null;
    if (upper === 'OPENJSON' && this.accept('WITH')) {
      json = this.parenthesised(() =>
        this.commaList(() => {
          const column = this.identifier();
          const type = this.dataType(false);
          const path =
            this.token.kind === 'string' || this.token.kind === 'nstring' ? this.next().text : null;
          return { name: column, type, path, asJson: this.accept('AS', 'JSON') };
        }),
      );
    }
    return { k: 'function', name: upper, args, json, alias: this.alias(false) };
  }
}
