// The procedures that people type to see what there is, as the T-SQL that answers them.
// (https://learn.microsoft.com/sql/relational-databases/system-stored-procedures/sp-help-transact-sql)

interface HelpProcedure {
  readonly parameters: readonly string[];
  readonly sql: string;
}

const NO_OBJECT = `IF @objname IS NOT NULL AND OBJECT_ID(@objname) IS NULL BEGIN
  DECLARE @missing nvarchar(400) = N'The object ''' + @objname + N''' does not exist in database ''' + DB_NAME() + N''' or is invalid for this operation.';
  THROW 15009, @missing, 1; END;`;

const INDEXES = `SELECT i.name AS index_name, CASE WHEN i.type = 1 THEN 'clustered' ELSE 'nonclustered' END + CASE WHEN i.is_unique = 1 THEN ', unique' ELSE '' END
    + CASE WHEN i.is_primary_key = 1 THEN ', primary key' WHEN i.is_unique_constraint = 1 THEN ', unique key' ELSE '' END + ' located on PRIMARY' AS index_description,
    (SELECT STRING_AGG(c.name + CASE WHEN k.is_descending_key = 1 THEN '(-)' ELSE '' END, ', ') WITHIN GROUP (ORDER BY k.key_ordinal)
      FROM sys.index_columns k JOIN sys.columns c ON c.object_id = k.object_id AND c.column_id = k.column_id
      WHERE k.object_id = i.object_id AND k.index_id = i.index_id AND k.is_included_column = 0) AS index_keys
  FROM sys.indexes i WHERE i.object_id = OBJECT_ID(@objname) AND i.type > 0 ORDER BY i.name;`;

export const HELP: Readonly<Record<string, HelpProcedure>> = {
  sp_help: {
    parameters: ['@objname'],
    sql: `${NO_OBJECT}
IF @objname IS NULL SELECT o.name AS Name, s.name AS Owner, LOWER(REPLACE(o.type_desc, '_', ' ')) AS Object_type
  FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id ORDER BY Object_type DESC, Name;
ELSE BEGIN
  SELECT o.name AS Name, s.name AS Owner, LOWER(REPLACE(o.type_desc, '_', ' ')) AS Type, o.create_date AS Created_datetime
  FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE o.object_id = OBJECT_ID(@objname);
  SELECT c.name AS Column_name, t.name AS Type, CASE WHEN c.is_computed = 1 THEN 'yes' ELSE 'no' END AS Computed, CONVERT(int, c.max_length) AS Length,
    CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'float', 'real') THEN CONVERT(char(5), c.precision) ELSE '     ' END AS Prec,
    CASE WHEN t.name IN ('tinyint', 'smallint', 'int', 'bigint', 'decimal', 'numeric', 'money', 'time', 'datetime2', 'datetimeoffset') THEN CONVERT(char(5), c.scale) ELSE '     ' END AS Scale,
    CASE WHEN c.is_nullable = 1 THEN 'yes' ELSE 'no' END AS Nullable, c.collation_name AS Collation
  FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID(@objname) ORDER BY c.column_id;
  ${INDEXES}
END`,
  },
  sp_helpindex: { parameters: ['@objname'], sql: `${NO_OBJECT}\n${INDEXES}` },
  sp_tables: {
    parameters: ['@table_name', '@table_owner'],
    sql: `SELECT CONVERT(sysname, DB_NAME()) AS TABLE_QUALIFIER, s.name AS TABLE_OWNER, o.name AS TABLE_NAME, CASE o.type WHEN 'V' THEN 'VIEW' ELSE 'TABLE' END AS TABLE_TYPE,
    CONVERT(varchar(254), NULL) AS REMARKS
  FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id
  WHERE o.type IN ('U', 'V') AND (@table_name IS NULL OR o.name LIKE @table_name) AND (@table_owner IS NULL OR s.name LIKE @table_owner) ORDER BY 4, 2, 3;`,
  },
};
