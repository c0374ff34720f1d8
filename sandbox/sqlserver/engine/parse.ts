// The parser: made of the grammar (statements.peggy, queries.peggy) at the first batch, and what the grammar's actions need of the engine.
// A batch is read as a whole before it runs: a syntax error anywhere leaves nothing done, as in SQL Server.
import { readFileSync } from 'node:fs';
import peggy from 'peggy';
import type { Name, Statement } from './ast.ts';
import { type SqlError, sqlError, unsupported } from './errors.ts';
import { declared } from './types.ts';

/** Words that end an expression or an alias: T-SQL's reserved keywords, as far as the grammar meets them. */
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
const isReserved = (word: string): boolean => RESERVED.has(word.toUpperCase());

let parser: peggy.Parser | undefined;

function made(): peggy.Parser {
  const grammar = ['statements', 'queries']
    .map((name) => readFileSync(new URL(`${name}.peggy`, import.meta.url), 'utf8'))
    .join('\n');
  const rules = grammar.replace(/\/\/.*|\/\*.*?\*\/|'[^'\n]*'|"[^"\n]*"/g, '');
  const keywords = [...new Set(rules.match(/\b[A-Z]{2}[A-Z_]*\b/g))];
  const added = keywords.map((word) => `${word} = @"${word}"i End`);
  return peggy.generate([grammar, ...added].join('\n'), { allowedStartRules: ['Batch', 'WholeName'] });
}

function parse<T>(sql: string, startRule: string, first: boolean): T {
  parser ??= made();
  const at = (line: number, error: SqlError): never => {
    error.line = line;
    throw error;
  };
  try {
    return parser.parse(sql, {
      startRule,
      first,
      isReserved,
      dataType: declared,
      refuse: (construct: string, line: number) => at(line, unsupported(construct)),
      fail: (number: number, text: string) => at(0, sqlError(number, text)),
    });
  } catch (error) {
    if (!(error instanceof parser.SyntaxError)) throw error;
    const { start } = error.location;
    const [token = ''] =
      /^([\p{L}_#@][\p{L}\p{N}_#$@]*|\[[^\]]*\]?|'[^']*'?|[\d.]+|.?)/su.exec(sql.slice(start.offset)) ?? [];
    return at(
      start.line,
      isReserved(token) ? sqlError(156, token) : sqlError(102, token.replace(/^[[']|[\]']$/g, '')),
    );
  }
}

/**
 * Throws SqlError 102, 105, 113, 156 (with line) or names what is not supported. Only at a batch's beginning, that is `first`,
 * may a procedure's name stand for its EXEC.
 */
export const parseBatch = (sql: string, first = true): Statement[] => parse(sql, 'Batch', first);

/** A table's name as INSERT BULK sends it. */
export const parseName = (text: string): Name => parse(text, 'WholeName', false);
