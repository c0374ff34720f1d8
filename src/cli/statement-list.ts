// Statements as a person reads them, or hands them to psql and to sqlcmd or SSMS.
// Guarantees: each T-SQL statement is a batch of its own, as it is when init runs it: CREATE SCHEMA takes no other beside it.
import type { InitResult } from '../daemon/init.ts';

/** GO is no T-SQL: the tools split batches at lines that hold nothing else. */
export function formatStatements(statements: InitResult['statements']): string {
  return statements.map(({ on, sql }) => `-- ${on}\n${sql};\n${on === 'warehouse' ? 'GO\n' : ''}`).join('');
}
