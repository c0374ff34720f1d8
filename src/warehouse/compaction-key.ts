// A row's key as one value that a Map compares exactly.
// Guarantees: two keys are one value if and only if all their fields are the same, byte by byte.
import type { CanonicalRecord, CanonicalValue } from '../canonical/event.ts';
import type { TargetTable } from '../mapping/target.ts';

export type RowKey = string | number | bigint | boolean;

/** The fields that hold the target's key, in the key's order. */
function keyFields(target: TargetTable): string[] {
  return target.key.map((name) => {
    const column = target.columns.find((candidate) => candidate.name === name);
    if (column === undefined)
      throw new RangeError(`${target.entity}: key column ${name} is not among its columns`);
    return column.field;
  });
}

/** Reads a record's key; null where one of its fields is null or was not sent. */
export function rowKeyReader(target: TargetTable): (record: CanonicalRecord) => RowKey | null {
  const fields = keyFields(target);
  const only = fields[0];
  if (fields.length === 1 && only !== undefined) return (record) => keyPart(record[only]);
  return (record) => {
    let key = '';
    for (const field of fields) {
      const part = keyPart(record[field]);
      if (part === null) return null;
      // Neither PostgreSQL's text nor base64 holds NUL, so the parts can't run into one another.
      key += `${part}\u0000`;
    }
    return key;
  };
}

function keyPart(value: CanonicalValue | undefined): RowKey | null {
  if (value === null || value === undefined) return null;
  return Buffer.isBuffer(value) ? value.toString('base64') : value;
}

/** The key as JSON text, one string a field: what quarantine rows are found by again. */
export function keyJsonWriter(target: TargetTable): (record: CanonicalRecord) => string {
  const fields = keyFields(target);
  return (record) =>
    JSON.stringify(Object.fromEntries(fields.map((field) => [field, valueText(record[field])])));
}

/** A record as JSON text: each value as text, null where it is null; binary as PostgreSQL writes it. */
export function recordJson(record: CanonicalRecord): string {
  return JSON.stringify(
    Object.fromEntries(Object.entries(record).map(([field, value]) => [field, valueText(value)])),
  );
}

function valueText(value: CanonicalValue | undefined): string | null {
  if (value === null || value === undefined) return null;
  return Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : String(value);
}
