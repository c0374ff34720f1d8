// The grammar of T-SQL expressions and search conditions.
// (https://learn.microsoft.com/sql/t-sql/language-elements/operator-precedence-transact-sql)
import type { Expr, OrderItem, Over, Query } from './ast.ts';
import { Cursor } from './cursor.ts';

/** Function names that are reserved words, and words that are calls without parentheses. */
const CALLABLE_KEYWORDS = new Set(['LEFT', 'RIGHT', 'COALESCE', 'NULLIF']);
const BARE_CALLS = new Set(['CURRENT_TIMESTAMP', 'CURRENT_USER', 'SESSION_USER', 'SYSTEM_USER']);

export abstract class ExpressionParser extends Cursor {
  /** The query grammar, which subqueries need. */
  protected abstract query(): Query;

  protected expression(): Expr {
    let l = this.conjunction();
    while (this.accept('OR')) l = { k: 'logic', op: 'OR', l, r: this.conjunction() };
    return l;
  }

  private conjunction(): Expr {
    let l = this.negation();
    while (this.accept('AND')) l = { k: 'logic', op: 'AND', l, r: this.negation() };
    return l;
  }

  private negation(): Expr {
    return this.accept('NOT') ? { k: 'not', e: this.negation() } : this.predicate();
  }

  private predicate(): Expr {
    const e = this.sum();
    const token = this.token;
    if (token.kind === 'symbol' && /^(=|<>|!=|<|>|<=|>=|!<|!>)$/.test(token.text)) {
      this.next();
      if (this.is('ANY') || this.is('SOME') || this.is('ALL'))
        throw this.refuse(`comparison with ${this.token.word}`);
      const op = token.text.replace('!=', '<>').replace('!<', '>=').replace('!>', '<=');
      return { k: 'compare', op, l: e, r: this.sum() };
    }
    if (this.accept('IS')) {
      const not = this.accept('NOT');
      if (this.is('DISTINCT')) throw this.refuse('IS DISTINCT FROM');
      this.expect('NULL');
      return { k: 'isNull', e, not };
    }
    const not = this.is('NOT') && ['IN', 'LIKE', 'BETWEEN'].includes(this.ahead().word) && this.accept('NOT');
    if (this.accept('IN')) {
      const list = this.parenthesised(() =>
        this.is('SELECT') || this.is('WITH') ? this.query() : this.commaList(() => this.sum()),
      );
      return { k: 'in', e, list, not };
    }
    if (this.accept('BETWEEN')) {
      const low = this.sum();
      this.expect('AND');
      return { k: 'between', e, low, high: this.sum(), not };
    }
    if (this.accept('LIKE')) {
      const pattern = this.sum();
      return { k: 'like', e, pattern, escape: this.accept('ESCAPE') ? this.sum() : null, not };
    }
    return e;
  }

  /** +, - and the bitwise operators share one precedence in T-SQL. */
  protected sum(): Expr {
    let l = this.product();
    while (this.token.kind === 'symbol' && /^[-+&|^]$/.test(this.token.text)) {
      l = { k: 'binary', op: this.next().text, l, r: this.product() };
    }
    return l;
  }

  private product(): Expr {
    let l = this.unary();
    while (this.token.kind === 'symbol' && /^[*/%]$/.test(this.token.text)) {
      l = { k: 'binary', op: this.next().text, l, r: this.unary() };
    }
    return l;
  }

  private unary(): Expr {
    if (this.token.kind === 'symbol' && /^[-+~]$/.test(this.token.text)) {
      const op = this.next().text;
      return { k: 'unary', op, e: this.unary() };
    }
    let e = this.primary();
    for (;;) {
      if (this.accept('COLLATE')) e = { k: 'collate', e, collation: this.identifier() };
      else if (this.accept('AT', 'TIME', 'ZONE')) e = { k: 'atTimeZone', e, zone: this.primary() };
      else return e;
    }
  }

  private primary(): Expr {
    const token = this.token;
    switch (token.kind) {
      case 'number': {
        this.next();
        const type = /e/i.test(token.text)
          ? 'float'
          : /\./.test(token.text) || BigInt(token.text) > 2147483647n
            ? 'decimal'
            : 'int';
        return { k: 'literal', type, v: token.text };
      }
      case 'string':
      case 'nstring':
        this.next();
        return { k: 'literal', type: token.kind === 'string' ? 'varchar' : 'nvarchar', v: token.text };
      case 'binary':
        this.next();
        return { k: 'literal', type: 'binary', v: token.text };
      case 'variable':
        this.next();
        return { k: 'variable', name: token.text };
      case 'symbol':
        if (token.text === '(') return this.bracketed();
        if (token.text === '*') {
          this.next();
          return { k: 'star', name: [] };
        }
        throw this.unexpected();
      case 'end':
        throw this.unexpected();
      default:
        return this.named();
    }
  }

  private bracketed(): Expr {
    return this.parenthesised(() =>
      this.is('SELECT') || this.is('WITH') ? { k: 'subquery', query: this.query() } : this.expression(),
    );
  }

  private named(): Expr {
    if (this.accept('NULL')) return { k: 'literal', type: 'null', v: '' };
    if (this.is('CASE')) return this.caseExpression();
    if (this.accept('EXISTS')) return { k: 'exists', query: this.parenthesised(() => this.query()) };
    const called = this.ahead().kind === 'symbol' && this.ahead().text === '(';
    if (called && /^(TRY_)?(CAST|CONVERT)$/.test(this.token.word)) return this.conversion();
    if (called && /^(TRY_)?PARSE$/.test(this.token.word)) throw this.refuse(`function ${this.token.word}`);
    if (called && (this.isName() || CALLABLE_KEYWORDS.has(this.token.word)))
      return this.call(this.next().text);
    if (BARE_CALLS.has(this.token.word)) return call(this.next().word, []);
    const name = [this.identifier()];
    while (this.acceptSymbol('.')) {
      if (this.acceptSymbol('*')) return { k: 'star', name };
      name.push(this.isSymbol('.') ? '' : this.identifier());
    }
    if (this.isSymbol('(')) throw this.refuse(`function ${name.join('.')}`);
    return { k: 'column', name };
  }

  private caseExpression(): Expr {
    this.expect('CASE');
    const base = this.is('WHEN') ? null : this.expression();
    const whens: { when: Expr; result: Expr }[] = [];
    while (this.accept('WHEN')) {
      const when = this.expression();
      this.expect('THEN');
      whens.push({ when, result: this.expression() });
    }
    if (whens.length === 0) throw this.unexpected();
    const otherwise = this.accept('ELSE') ? this.expression() : null;
    this.expect('END');
    return { k: 'case', base, whens, otherwise };
  }

  private conversion(): Expr {
    const word = this.next().word;
    const attempt = word.startsWith('TRY_');
    return this.parenthesised((): Expr => {
      if (word.endsWith('CAST')) {
        const e = this.expression();
        this.expect('AS');
        return { k: 'cast', e, type: this.dataType(true), style: null, attempt };
      }
      const type = this.dataType(true);
      this.expectSymbol(',');
      const e = this.expression();
      return { k: 'cast', e, type, style: this.acceptSymbol(',') ? this.expression() : null, attempt };
    });
  }

  protected call(name: string): Expr {
    this.expectSymbol('(');
    const distinct = this.accept('DISTINCT');
    if (!distinct) this.accept('ALL');
    const args = this.isSymbol(')') ? [] : this.commaList(() => this.argument(name));
    this.expectSymbol(')');
    let within: OrderItem[] = [];
    if (this.accept('WITHIN', 'GROUP')) {
      within = this.parenthesised(() => {
        this.expect('ORDER', 'BY');
        return this.orderItems();
      });
    }
    const over = this.accept('OVER') ? this.over() : null;
    return { k: 'call', name: name.toUpperCase(), args, distinct, over, within };
  }

  /** DATEADD and its kin take a bare word, TRIM takes `x FROM y`. */
  private argument(name: string): Expr {
    if (/^trim$/i.test(name)) {
      const e = this.expression();
      if (this.is('FROM')) throw this.refuse('TRIM with FROM');
      return e;
    }
    return this.expression();
  }

  private over(): Over {
    return this.parenthesised(() => {
      const partition = this.accept('PARTITION', 'BY') ? this.commaList(() => this.expression()) : [];
      const order = this.accept('ORDER', 'BY') ? this.orderItems() : [];
      const start = this.token.start;
      if (!this.is('ROWS') && !this.is('RANGE')) return { partition, order, frame: '' };
      while (!this.isSymbol(')')) {
        const { word, kind, text } = this.next();
        if (
          kind !== 'number' &&
          !/^(ROWS|RANGE|BETWEEN|UNBOUNDED|PRECEDING|FOLLOWING|CURRENT|ROW|AND)$/.test(word)
        ) {
          throw this.refuse(`window frame '${text}'`);
        }
      }
      return { partition, order, frame: this.textSince(start) };
    });
  }

  protected orderItems(): OrderItem[] {
    return this.commaList(() => {
      const e = this.expression();
      const desc = this.accept('DESC');
      if (!desc) this.accept('ASC');
      return { e, desc };
    });
  }
}

function call(name: string, args: readonly Expr[]): Expr {
  return { k: 'call', name, args, distinct: false, over: null, within: [] };
}
