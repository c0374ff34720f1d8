// The grammar of definitions: CREATE, ALTER and DROP of tables, indexes, schemas and views.
import type { ColumnDefinition, Constraint, Name, Statement } from './ast.ts';
import { QueryParser } from './parse-query.ts';

type Definition = Statement extends infer S ? (S extends { line: number } ? Omit<S, 'line'> : never) : never;

export abstract class DefinitionParser extends QueryParser {
  protected create(): Definition {
    this.expect('CREATE');
    const replace = this.accept('OR', 'ALTER');
    if (this.accept('TABLE')) {
      const table = this.multipart();
      return { k: 'createTable', table, ...this.tableBody() };
    }
    if (this.accept('SCHEMA')) {
      const name = this.identifier();
      if (this.accept('AUTHORIZATION')) this.identifier();
      return { k: 'createSchema', name };
    }
    if (this.accept('DATABASE')) {
      const name = this.identifier();
      if (this.accept('COLLATE')) this.identifier();
      return { k: 'createDatabase', name };
    }
    if (this.accept('VIEW')) {
      const name = this.multipart();
      const columns = this.isSymbol('(') ? this.names() : [];
      if (this.is('WITH')) throw this.refuse('a view option');
      this.expect('AS');
      return { k: 'createView', name, columns, query: this.query(), replace };
    }
    const unique = this.accept('UNIQUE');
    const clustered = this.accept('CLUSTERED');
    if (!clustered) this.accept('NONCLUSTERED');
    if (this.accept('INDEX')) return this.index(unique, clustered);
    throw this.refuse(`CREATE ${this.token.text.toUpperCase()}`);
  }

  private index(unique: boolean, clustered: boolean): Definition {
    const name = this.identifier();
    this.expect('ON');
    const table = this.multipart();
    const columns = this.parenthesised(() =>
      this.commaList(() => {
        const column = this.identifier();
        const desc = this.accept('DESC');
        if (!desc) this.accept('ASC');
        return { name: column, desc };
      }),
    );
    const include = this.accept('INCLUDE') ? this.names() : [];
    const start = this.ahead().start;
    const where = this.accept('WHERE') ? this.expression() : null;
    const text = where ? this.textSince(start) : '';
    this.storage();
    return { k: 'createIndex', unique, clustered, name, table, columns, include, where, text };
  }

  /** WITH (index options), ON filegroup: storage advice without a counterpart here. */
  private storage(): void {
    if (this.accept('WITH')) {
      this.parenthesised(() =>
        this.commaList(() => {
          const { word, text } = this.next();
          if (
            !/^(PAD_INDEX|FILLFACTOR|SORT_IN_TEMPDB|ONLINE|DATA_COMPRESSION|MAXDOP|STATISTICS_NORECOMPUTE|ALLOW_ROW_LOCKS|ALLOW_PAGE_LOCKS|DROP_EXISTING|OPTIMIZE_FOR_SEQUENTIAL_KEY)$/.test(
              word,
            )
          ) {
            throw this.refuse(`index option ${text}`);
          }
          this.expectSymbol('=');
          this.next();
        }),
      );
    }
    if (this.is('ON') && (this.ahead().text === 'PRIMARY' || this.ahead().kind === 'quoted')) {
      this.next();
      this.next();
    }
  }

  protected tableBody(): { columns: ColumnDefinition[]; constraints: Constraint[] } {
    const columns: ColumnDefinition[] = [];
    const constraints: Constraint[] = [];
    this.parenthesised(() => {
      do {
        if (this.isSymbol(')')) break;
        this.tableElement(columns, constraints);
      } while (this.acceptSymbol(','));
    });
    this.storage();
    return { columns, constraints };
  }

  private tableElement(columns: ColumnDefinition[], constraints: Constraint[]): void {
    if (this.is('INDEX')) throw this.refuse('an inline INDEX');
    if (this.is('PERIOD')) throw this.refuse('PERIOD FOR SYSTEM_TIME');
    if (['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'FOREIGN', 'DEFAULT'].includes(this.token.word)) {
      constraints.push(this.constraint(null));
    } else columns.push(this.column(constraints));
  }

  protected column(constraints: Constraint[]): ColumnDefinition {
    const name = this.identifier();
    if (this.accept('AS')) {
      const computed = this.parenthesised(() => this.expression());
      this.accept('PERSISTED');
      const nullable = !this.accept('NOT', 'NULL');
      return {
        name,
        type: { name: 'int' },
        nullable,
        collation: null,
        identity: null,
        default: null,
        computed,
      };
    }
    const type = this.dataType(false);
    let nullable: boolean | null = null;
    let collation: string | null = null;
    let identity: ColumnDefinition['identity'] = null;
    let preset: ColumnDefinition['default'] = null;
    for (;;) {
      if (this.accept('NOT', 'NULL')) nullable = false;
      else if (this.accept('NULL')) nullable = true;
      else if (this.accept('COLLATE')) collation = this.identifier();
      else if (this.accept('IDENTITY')) {
        const [seed, step] = this.isSymbol('(')
          ? this.parenthesised(() => this.commaList(() => String(this.signed())))
          : ['1', '1'];
        identity = { seed: seed ?? '1', step: step ?? '1' };
      } else if (this.is('DEFAULT') || (this.is('CONSTRAINT') && this.ahead(2).word === 'DEFAULT')) {
        const label = this.accept('CONSTRAINT') ? this.identifier() : null;
        this.expect('DEFAULT');
        preset = { name: label, e: this.sum() };
        this.accept('WITH', 'VALUES');
      } else if (
        ['CONSTRAINT', 'PRIMARY', 'UNIQUE', 'CHECK', 'REFERENCES', 'FOREIGN'].includes(this.token.word)
      ) {
        constraints.push(this.constraint(name));
      } else if (
        ['SPARSE', 'ROWGUIDCOL', 'GENERATED', 'MASKED', 'ENCRYPTED', 'HIDDEN'].includes(this.token.word)
      ) {
        throw this.refuse(`column option ${this.token.word}`);
      } else break;
    }
    return { name, type, nullable, collation, identity, default: preset, computed: null };
  }

  private signed(): number {
    const minus = this.acceptSymbol('-');
    return minus ? -this.integer() : this.integer();
  }

  /** `column` is set where the constraint stands in a column's definition. */
  private constraint(column: string | null): Constraint {
    const name = this.accept('CONSTRAINT') ? this.identifier() : null;
    if (this.is('PRIMARY') || this.is('UNIQUE')) {
      const primary = this.accept('PRIMARY', 'KEY');
      if (!primary) this.expect('UNIQUE');
      const clustered = this.accept('CLUSTERED') ? true : this.accept('NONCLUSTERED') ? false : null;
      const columns =
        column && !this.isSymbol('(')
          ? [column]
          : this.parenthesised(() =>
              this.commaList(() => {
                const part = this.identifier();
                if (!this.accept('DESC')) this.accept('ASC');
                return part;
              }),
            );
      this.storage();
      return { k: 'key', primary, name, columns, clustered };
    }
    if (this.accept('CHECK')) {
      const start = this.token.start;
      const e = this.parenthesised(() => this.expression());
      return { k: 'check', name, e, text: this.textSince(start) };
    }
    if (this.accept('DEFAULT')) {
      const e = this.sum();
      this.expect('FOR');
      return { k: 'default', name, column: this.identifier(), e };
    }
    let columns = column ? [column] : [];
    if (this.accept('FOREIGN', 'KEY') && !(column && !this.isSymbol('('))) columns = this.names();
    this.expect('REFERENCES');
    const table = this.multipart();
    const references = this.isSymbol('(') ? this.names() : [];
    let actions = '';
    while (this.accept('ON')) {
      const event = this.next().word;
      const action = this.action();
      actions += ` ON ${event} ${action}`;
    }
    return { k: 'foreign', name, columns, table, references, actions };
  }

  private action(): string {
    for (const words of ['NO ACTION', 'SET NULL', 'SET DEFAULT', 'CASCADE']) {
      if (this.accept(...words.split(' '))) return words;
    }
    throw this.unexpected();
  }

  protected alter(): Definition {
    this.expect('ALTER');
    if (!this.accept('TABLE')) throw this.refuse(`ALTER ${this.token.text.toUpperCase()}`);
    const table = this.multipart();
    if (this.accept('WITH')) {
      if (!this.accept('CHECK')) throw this.refuse('ALTER TABLE … WITH NOCHECK');
    }
    if (this.accept('ADD')) {
      const columns: ColumnDefinition[] = [];
      const constraints: Constraint[] = [];
      this.commaList(() => this.tableElement(columns, constraints));
      return { k: 'addColumns', table, columns, constraints };
    }
    if (this.accept('ALTER', 'COLUMN')) return { k: 'alterColumn', table, column: this.column([]) };
    if (this.accept('DROP')) return this.dropParts(table);
    throw this.refuse(`ALTER TABLE … ${this.token.text.toUpperCase()}`);
  }

  private dropParts(table: Name): Definition {
    const columns: string[] = [];
    const constraints: string[] = [];
    let ifExists = false;
    let target = constraints;
    this.commaList(() => {
      if (this.accept('COLUMN')) target = columns;
      else if (this.accept('CONSTRAINT')) target = constraints;
      ifExists = this.accept('IF', 'EXISTS') || ifExists;
      target.push(this.identifier());
    });
    return { k: 'dropColumns', table, columns, constraints, ifExists };
  }

  protected drop(): Definition {
    this.expect('DROP');
    const what = this.next().word;
    const ifExists = this.accept('IF', 'EXISTS');
    if (what === 'INDEX') {
      const name = this.multipart();
      if (this.accept('ON'))
        return { k: 'dropIndex', name: name.at(-1) as string, table: this.multipart(), ifExists };
      return { k: 'dropIndex', name: name.at(-1) as string, table: name.slice(0, -1), ifExists };
    }
    if (what === 'DATABASE')
      return { k: 'dropDatabase', names: this.commaList(() => this.identifier()), ifExists };
    if (what !== 'TABLE' && what !== 'VIEW' && what !== 'SCHEMA') throw this.refuse(`DROP ${what}`);
    return { k: 'drop', what, names: this.commaList(() => this.multipart()), ifExists };
  }
}
