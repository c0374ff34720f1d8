// The words that the readers of schema JSON share: how a finding is reported and how JSON is named in it.
// Guarantees: none beyond its types.

/** Tells of one finding: what was found at the path, what was expected, and the nearest valid name. */
export type Report = (
  code: `WB${number}`,
  path: string,
  found: string,
  expected: string,
  nearest?: string | null,
) => void;

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function quote(value: unknown): string {
  return JSON.stringify(value) ?? 'nothing';
}

export function typeName(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  return Array.isArray(value) ? 'a list' : `a JSON ${typeof value}`;
}
