// What is wrong with a schema file, said so that it can be mended at once.
// Guarantees: file, path, what was found and what was expected; the nearest valid name where one is near.

export interface SchemaFinding {
  /** Stable, WB30xx. */
  readonly code: `WB${number}`;
  /** Path of the file below the schema folder. */
  readonly file: string;
  /** Where in the file, such as `fields.amount.type`; empty for the whole file. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
  /** The nearest valid name, or null. */
  readonly nearest: string | null;
}

export function formatFinding(finding: SchemaFinding): string {
  const path = finding.path === '' ? '' : ` at ${finding.path}`;
  const nearest = finding.nearest === null ? '' : `; nearest: ${finding.nearest}`;
  return `${finding.code} ${finding.file}${path}: found ${finding.found}, expected ${finding.expected}${nearest}`;
}
