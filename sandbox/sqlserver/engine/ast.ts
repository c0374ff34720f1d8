// The syntax tree of the T-SQL that the stand-in understands: what the parser makes and the binder reads.
// Names keep the case in which they were written; every statement knows its line for error messages.
import type { SqlType } from '../session.ts';

export type Name = readonly string[];

export interface OrderItem {
  readonly e: Expr;
  readonly desc: boolean;
}

export interface Over {
  readonly partition: readonly Expr[];
  readonly order: readonly OrderItem[];
  /** ROWS BETWEEN …, as written: PostgreSQL reads the same words. */
  readonly frame: string;
}

export type Expr =
  | {
      k: 'literal';
      type: 'int' | 'decimal' | 'float' | 'varchar' | 'nvarchar' | 'binary' | 'null';
      v: string;
    }
  | { k: 'variable'; name: string }
  | { k: 'column'; name: Name }
  | { k: 'star'; name: Name }
  | { k: 'unary'; op: string; e: Expr }
  | { k: 'binary'; op: string; l: Expr; r: Expr }
  | { k: 'compare'; op: string; l: Expr; r: Expr }
  | { k: 'logic'; op: 'AND' | 'OR'; l: Expr; r: Expr }
  | { k: 'not'; e: Expr }
  | { k: 'case'; base: Expr | null; whens: readonly { when: Expr; result: Expr }[]; otherwise: Expr | null }
  | {
      k: 'call';
      name: string;
      args: readonly Expr[];
      distinct: boolean;
      over: Over | null;
      within: readonly OrderItem[];
    }
  | { k: 'cast'; e: Expr; type: SqlType; style: Expr | null; attempt: boolean }
  | { k: 'in'; e: Expr; list: readonly Expr[] | Query; not: boolean }
  | { k: 'between'; e: Expr; low: Expr; high: Expr; not: boolean }
  | { k: 'like'; e: Expr; pattern: Expr; escape: Expr | null; not: boolean }
  | { k: 'isNull'; e: Expr; not: boolean }
  | { k: 'exists'; query: Query }
  | { k: 'subquery'; query: Query }
  | { k: 'collate'; e: Expr; collation: string }
  | { k: 'atTimeZone'; e: Expr; zone: Expr };

export interface SelectItem {
  readonly e: Expr;
  readonly alias: string | null;
  /** SELECT @x = e. */
  readonly variable: string | null;
}

export interface JsonColumn {
  readonly name: string;
  readonly type: SqlType;
  readonly path: string | null;
  readonly asJson: boolean;
}

export type Source =
  | { k: 'table'; name: Name; alias: string | null; hints: readonly string[] }
  | { k: 'derived'; query: Query; alias: string; columns: readonly string[] }
  | {
      k: 'function';
      name: string;
      args: readonly Expr[];
      json: readonly JsonColumn[] | null;
      alias: string | null;
    }
  | {
      k: 'join';
      kind: 'INNER' | 'LEFT' | 'RIGHT' | 'FULL' | 'CROSS' | 'CROSS APPLY' | 'OUTER APPLY';
      l: Source;
      r: Source;
      on: Expr | null;
    };

export interface Top {
  readonly count: Expr;
  readonly ties: boolean;
}

export type Body =
  | {
      k: 'select';
      distinct: boolean;
      top: Top | null;
      items: readonly SelectItem[];
      into: Name | null;
      from: Source | null;
      where: Expr | null;
      group: readonly Expr[];
      rollup: 'ROLLUP' | 'CUBE' | null;
      having: Expr | null;
    }
  | { k: 'set'; op: 'UNION' | 'UNION ALL' | 'EXCEPT' | 'INTERSECT'; l: Body; r: Body }
  | { k: 'values'; rows: readonly (readonly Expr[])[] };

export interface Cte {
  readonly name: string;
  readonly columns: readonly string[];
  readonly query: Query;
}

export interface Query {
  readonly ctes: readonly Cte[];
  readonly body: Body;
  readonly order: readonly OrderItem[];
  readonly offset: Expr | null;
  readonly fetch: Expr | null;
}

export interface Output {
  readonly items: readonly SelectItem[];
  readonly into: Name | null;
  readonly columns: readonly string[];
}

export interface ColumnDefinition {
  readonly name: string;
  readonly type: SqlType;
  readonly nullable: boolean | null;
  readonly collation: string | null;
  readonly identity: { seed: string; step: string } | null;
  readonly default: { name: string | null; e: Expr } | null;
  readonly computed: Expr | null;
}

export type Constraint =
  | { k: 'key'; primary: boolean; name: string | null; columns: readonly string[]; clustered: boolean | null }
  | { k: 'check'; name: string | null; e: Expr; text: string }
  | { k: 'default'; name: string | null; column: string; e: Expr }
  | {
      k: 'foreign';
      name: string | null;
      columns: readonly string[];
      table: Name;
      references: readonly string[];
      actions: string;
    };

export interface Argument {
  readonly name: string | null;
  readonly e: Expr;
  readonly output: boolean;
}

interface TableParts {
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly Constraint[];
}

/** What UPDATE and DELETE share. */
interface Joined {
  readonly ctes: readonly Cte[];
  readonly table: Name;
  readonly output: Output | null;
  readonly from: Source | null;
  readonly where: Expr | null;
}

export type Statement = { readonly line: number } & (
  | { k: 'query'; query: Query }
  | {
      k: 'insert';
      ctes: readonly Cte[];
      table: Name;
      columns: readonly string[];
      output: Output | null;
      source: Query;
    }
  | ({ k: 'update'; set: readonly { column: string; e: Expr }[] } & Joined)
  | ({ k: 'delete' } & Joined)
  | { k: 'truncate'; table: Name }
  | ({ k: 'createTable' | 'addColumns'; table: Name } & TableParts)
  | ({ k: 'declareTable'; name: string } & TableParts)
  | { k: 'alterColumn'; table: Name; column: ColumnDefinition }
  | { k: 'dropColumns'; table: Name; columns: readonly string[]; ifExists: boolean }
  | { k: 'dropConstraints'; table: Name; names: readonly string[]; ifExists: boolean }
  | {
      k: 'createIndex';
      unique: boolean;
      clustered: boolean;
      name: string;
      table: Name;
      columns: readonly { name: string; desc: boolean }[];
      include: readonly string[];
      where: Expr | null;
      text: string;
    }
  | { k: 'dropTable'; names: readonly Name[]; ifExists: boolean }
  | { k: 'dropSchema'; name: string; ifExists: boolean }
  | { k: 'createView'; name: Name; query: Query; columns: readonly string[] }
  | { k: 'createSchema' | 'createDatabase' | 'use'; name: string }
  | { k: 'dropDatabase'; names: readonly string[]; ifExists: boolean }
  | { k: 'declare'; variables: readonly { name: string; type: SqlType; e: Expr | null }[] }
  | { k: 'setVariable'; name: string; e: Expr }
  | { k: 'setOption'; option: string; value: string; arg: Expr | null }
  | { k: 'begin' | 'commit' | 'break' | 'continue' }
  | { k: 'rollback'; name: Expr | null }
  | { k: 'save'; name: Expr }
  | { k: 'block'; body: readonly Statement[] }
  | { k: 'if'; test: Expr; body: Statement; otherwise: Statement | null }
  | { k: 'while'; test: Expr; body: Statement }
  | { k: 'try'; body: readonly Statement[]; handler: readonly Statement[] }
  | { k: 'throw' | 'raiserror'; args: readonly Expr[] }
  | { k: 'print' | 'executeText'; e: Expr }
  | { k: 'return'; e: Expr | null }
  | { k: 'execute'; procedure: Name; args: readonly Argument[]; result: string | null }
);

/** The statements of kind K. */
export type Of<K extends Statement['k']> = OfKind<Statement, K>;
type OfKind<S, K> = S extends { k: infer J } ? (K extends J ? S & { k: K } : never) : never;
