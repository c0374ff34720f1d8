// Times of the control tables as people and programs read them.

/** T-SQL: a datetimeoffset as ISO 8601 text in UTC, with milliseconds; NULL stays. */
export function isoTime(reference: string): string {
  return `REPLACE(CONVERT(varchar(23), SWITCHOFFSET(${reference}, '+00:00'), 121), ' ', 'T') + 'Z'`;
}
