// The canonical type of a source column, as docs/types.md's table has it: what `walbridge generate` writes into a schema.
// Guarantees: every value of the column that the warehouse can hold fits the type; the rest become misfits, never others.
import type { BaseType, ColumnDescription } from '../change/table-description.ts';
import { fieldTypeJson, MAX_PRECISION } from './field-type.ts';
import type { FieldType } from './schema.ts';

/** For numeric without precision: stated in docs/types.md, changed by hand in the generated schema. */
const UNCONSTRAINED = { kind: 'decimal', precision: 38, scale: 10 } as const;

/** Kept whatever that leaves for integer digits. */
const MOST_FRACTION = 28;

const types: Readonly<Record<string, FieldType>> = {
  bool: { kind: 'boolean' },
  int2: { kind: 'int' },
  int4: { kind: 'int' },
  int8: { kind: 'long' },
  oid: { kind: 'long' },
  float4: { kind: 'float' },
  float8: { kind: 'double' },
  date: { kind: 'date' },
  time: { kind: 'time-micros' },
  timestamp: { kind: 'local-timestamp-micros' },
  timestamptz: { kind: 'timestamp-micros' },
  uuid: { kind: 'uuid' },
  bytea: { kind: 'bytes' },
};

/**
 * `column` names an enum's Avro type where its labels are Avro names; else an enum becomes a string. The name is new in
 * `taken`: no two types of a record may share one, nor the record's own.
 */
export function fieldTypeFor(type: BaseType, column: string, taken = new Set<string>()): FieldType {
  if (type.kind === 'enum') return enumType(type.enumLabels, column, taken);
  if (type.kind !== 'base') return { kind: 'string' };
  if (type.name === 'numeric') return decimalType(type.numeric);
  return types[type.name] ?? { kind: 'string' };
}

/** The field's `type` in an .avsc file, with a null branch for a nullable column. */
export function avroTypeFor(column: Pick<ColumnDescription, 'name' | 'baseType' | 'nullable'>): unknown {
  const json = fieldTypeJson(fieldTypeFor(column.baseType, column.name));
  return column.nullable ? ['null', json] : json;
}

/** A negative scale has no place in Avro: its zeros become digits. */
function decimalType(numeric: BaseType['numeric']): FieldType {
  if (numeric === null) return UNCONSTRAINED;
  const scale = Math.max(0, numeric.scale);
  // numeric(3,5) holds 0.00999 at most: Avro wants the scale within the precision.
  const precision = Math.max(numeric.precision - Math.min(0, numeric.scale), scale);
  if (precision <= MAX_PRECISION) return { kind: 'decimal', precision, scale };
  // Wider than the warehouse: fractional digits are kept and integer digits given up, each misfit by name; but none would be
  // left of a scale of 38.
  const integers = Math.min(precision - scale, MAX_PRECISION - UNCONSTRAINED.scale);
  return {
    kind: 'decimal',
    precision: MAX_PRECISION,
    scale: Math.min(scale, Math.max(MOST_FRACTION, MAX_PRECISION - integers)),
  };
}

function enumType(labels: readonly string[], column: string, taken: Set<string>): FieldType {
  if (labels.length === 0 || !labels.every((label) => /^[A-Za-z_]\w*$/.test(label)))
    return { kind: 'string' };
  const base = `${column.replace(/^\d|\W/g, '_')}_enum`;
  let name = base;
  for (let count = 2; taken.has(name); count += 1) name = `${base}_${count}`;
  taken.add(name);
  return { kind: 'enum', name, symbols: labels, fallback: null };
}
