// SQL Server's messages, as sys.messages has them: number, class, state, text; a line each.
// (https://learn.microsoft.com/sql/relational-databases/errors-events/database-engine-events-and-errors)
const TEXTS = `
102 15 1 Incorrect syntax near '%s'.
104 15 1 ORDER BY items must appear in the select list if the statement contains a UNION, INTERSECT or EXCEPT operator.
105 15 1 Unclosed quotation mark after the character string '%s'.
108 15 1 The ORDER BY position number %s is out of range of the number of items in the select list.
109 15 1 There are more columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.
110 15 1 There are fewer columns in the INSERT statement than values specified in the VALUES clause. The number of values in the VALUES clause must match the number of columns specified in the INSERT statement.
113 15 1 Missing end comment mark '*/'.
116 16 1 Only one expression can be specified in the select list when the subquery is not introduced with EXISTS.
120 15 1 The select list for the INSERT statement contains fewer items than the insert list. The number of SELECT values must match the number of INSERT columns.
121 15 1 The select list for the INSERT statement contains more items than the insert list. The number of SELECT values must match the number of INSERT columns.
131 15 2 The size (%s) given to the type '%s' exceeds the maximum allowed for any data type (8000).
134 15 1 The variable name '%s' has already been declared. Variable names must be unique within a query batch or stored procedure.
137 15 2 Must declare the scalar variable "%s".
141 15 1 A SELECT statement that assigns a value to a variable must not be combined with data-retrieval operations.
155 15 1 '%s' is not a recognized %s option.
156 15 1 Incorrect syntax near the keyword '%s'.
174 15 1 The %s function requires %s argument(s).
201 16 10 Procedure or function 'sp_executesql' expects parameter '@statement', which was not supplied.
205 16 1 All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.
206 16 2 Operand type clash: %s is incompatible with %s
207 16 1 Invalid column name '%s'.
208 16 1 Invalid object name '%s'.
209 16 1 Ambiguous column name '%s'.
213 16 1 Column name or number of supplied values does not match table definition.
226 16 6 %s statement not allowed within multi-statement transaction.
257 16 3 Implicit conversion from data type %s to %s is not allowed. Use the CONVERT function to run this query.
263 16 1 Must specify table to select from.
271 16 1 The column "%s" cannot be modified because it is either a computed column or is the result of a UNION operator.
402 16 1 The data types %s and %s are incompatible in the modulo operator.
448 16 1 Invalid collation '%s'.
452 16 1 COLLATE clause cannot be used on types other than string: column '%s'.
468 16 9 Cannot resolve the collation conflict in the comparison operation.
512 16 1 Subquery returned more than 1 value. This is not permitted when the subquery follows =, !=, <, <= , >, >= or when the subquery is used as an expression.
515 16 2 Cannot insert the value NULL into column '%s', table '%s.%s'; column does not allow nulls. %s fails.
517 16 3 Adding a value to a 'datetime2' column caused an overflow.
529 16 2 Explicit conversion from data type %s to %s is not allowed.
537 16 3 Invalid length parameter passed to the LEFT or SUBSTRING function.
544 16 1 Cannot insert explicit value for identity column in table '%s' when IDENTITY_INSERT is set to OFF.
547 16 0 The %s statement conflicted with the %s constraint "%s". The conflict occurred in database "%s", table "%s"%s.
596 21 1 sandbox: the connection to PostgreSQL was lost (%s)
628 16 0 Cannot issue SAVE TRANSACTION when there is no active transaction.
911 16 1 Database '%s' does not exist. Make sure that the name is entered correctly.
1007 15 1 The number '%s' is out of the range for numeric representation (maximum precision 38).
1011 15 1 The correlation name '%s' is specified multiple times in a FROM clause.
1038 15 5 An object or column name is missing or empty. For SELECT INTO statements, verify each column has a name.
1062 15 1 The TOP N WITH TIES clause is not allowed without a corresponding ORDER BY clause.
1205 13 45 Transaction was deadlocked on lock resources with another process and has been chosen as the deadlock victim. Rerun the transaction.
1222 16 45 Lock request time out period exceeded.
1223 16 1 Cannot release the application lock because it is not currently held.
1752 16 0 Column '%s' in table '%s' is invalid for creating a default constraint.
1776 16 0 There are no primary or candidate keys in the referenced table '%s' that match the referencing column list in the foreign key '%s'.
1801 16 3 Database %s already exists. Choose a different database name.
1911 16 1 Column name '%s' does not exist in the target table or view.
1913 16 1 The operation failed because an index or statistics with name '%s' already exists on table '%s'.
2601 14 1 Cannot insert duplicate key row in object '%s' with unique index '%s'. The duplicate key value is (%s).
2627 14 1 Violation of %s constraint '%s'. Cannot insert duplicate key in object '%s'. The duplicate key value is (%s).
2628 16 1 String or binary data would be truncated in table '%database%.%s', column '%s'. Truncated value: '%s'.
2705 16 4 Column names in each table must be unique. Column name '%s' in table '%s' is specified more than once.
2714 16 6 There is already an object named '%s' in the database.
2715 16 6 Column, parameter, or variable: Cannot find data type %s.
2750 16 1 Column or parameter: Specified column precision %s is greater than the maximum precision of 38.
2812 16 62 Could not find stored procedure '%s'.
3701 11 5 Cannot drop the %s '%s', because it does not exist or you do not have permission.
3702 16 3 Cannot drop the database because it is currently in use.
3705 16 1 Cannot use DROP %s with '%s' because '%s' is a %s.
3728 16 1 '%s' is not a constraint.
3902 16 1 The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.
3903 16 1 The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.
3930 16 1 The current transaction cannot be committed and cannot support operations that write to the log file. Roll back the transaction.
3998 16 1 Uncommittable transaction is detected at the end of the batch. The transaction is rolled back.
4060 11 1 Cannot open database "%s" requested by the login. The login failed.
4104 16 1 The multi-part identifier "%s" could not be bound.
4145 15 1 An expression of non-boolean type specified in a context where a condition is expected.
4712 16 1 Cannot truncate table '%s' because it is being referenced by a FOREIGN KEY constraint.
4815 16 1 Received an invalid column length from the bcp client for colid %s.
4924 16 1 ALTER TABLE %s failed because column '%s' does not exist in table '%s'.
5074 16 1 The object is dependent on another object: %s.
6401 16 1 Cannot roll back %s. No transaction or savepoint of that name was found.
8102 16 1 Cannot update identity column '%s'.
8111 16 1 Cannot define PRIMARY KEY constraint on nullable column in table '%s'.
8115 16 2 Arithmetic overflow error converting %s to data type %s.
8117 16 1 Operand data type %s is invalid for %s operator.
8120 16 1 Column '%s' is invalid in the select list because it is not contained in either an aggregate function or the GROUP BY clause.
8134 16 1 Divide by zero error encountered.
8145 16 1 %s is not a parameter for the procedure.
8155 16 2 No column name was specified for column %s of '%s'.
8158 16 1 '%s' has more columns than were specified in the column list.
8178 16 1 The parameterized query expects the parameter '%s', which was not supplied.
8624 16 1 sandbox: PostgreSQL refused the translated statement (%s: %s)
10704 15 1 To rethrow an error, a THROW statement must be used inside a CATCH block.
10709 16 1 The number of columns for each row in a table value constructor must be the same.
10753 15 1 The function '%s' must have an OVER clause.
13607 16 4 JSON path is not properly formatted. Unexpected character '%s' is found at position %s.
15626 16 1 You attempted to acquire a transactional application lock without an active transaction.
18456 14 1 Login failed for user '%s'.
40510 16 1 sandbox: %s is not supported
`;

export const MESSAGES: ReadonlyMap<number, { severity: number; state: number; text: string }> = new Map(
  TEXTS.trim()
    .split('\n')
    .map((line) => {
      const [number, severity, state, ...words] = line.split(' ');
      return [Number(number), { severity: Number(severity), state: Number(state), text: words.join(' ') }];
    }),
);
