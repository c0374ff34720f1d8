// Whether a value is its field type's canonical representation: what mapping's transforms are held against.
// Guarantees: a value that passes is encoded exactly; the answer names types, never the value.
import { unscaledOf } from './decimal.ts';
import type { CanonicalValue } from './event.ts';
import { MAX_LONG, MIN_LONG } from './long.ts';
import { Misfit, misfits } from './misfit.ts';
import { describeType, type FieldType, type NullBranch } from './schema.ts';

const MICROS_PER_DAY = 86_400_000_000;
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Null where the value fits. */
export function checkValue(
  type: FieldType,
  nullBranch: NullBranch,
  value: CanonicalValue | undefined,
): Misfit | null {
  if (value === null) {
    return nullBranch === 'none'
      ? new Misfit(misfits.unexpectedNull, `null, but ${describeType(type)} is not nullable`)
      : null;
  }
  return fits(type, value)
    ? null
    : new Misfit(
        misfitCode(type, value),
        `a ${shapeOf(value)} that is not a canonical ${describeType(type)}`,
      );
}

function fits(type: FieldType, value: CanonicalValue | undefined): boolean {
  switch (type.kind) {
    case 'boolean':
      return typeof value === 'boolean';
    case 'int':
    case 'date':
      return typeof value === 'number' && (value | 0) === value;
    case 'long':
    case 'timestamp-micros':
    case 'local-timestamp-micros':
      return isLong(value);
    case 'time-micros':
      return Number.isInteger(value) && Number(value) >= 0 && Number(value) < MICROS_PER_DAY;
    case 'float':
      // A double that a float would round is refused: values arrive as they were.
      return typeof value === 'number' && (Number.isNaN(value) || Math.fround(value) === value);
    case 'double':
      return typeof value === 'number';
    case 'string':
      return typeof value === 'string';
    case 'uuid':
      return typeof value === 'string' && uuidPattern.test(value);
    case 'bytes':
      return Buffer.isBuffer(value);
    case 'decimal':
      return typeof value === 'string' && unscaledOf(value, type.precision, type.scale) !== null;
    case 'enum':
      return typeof value === 'string' && type.symbols.includes(value);
  }
}

function isLong(value: CanonicalValue | undefined): boolean {
  if (typeof value === 'bigint') return value >= MIN_LONG && value <= MAX_LONG;
  return Number.isSafeInteger(value);
}

function misfitCode(type: FieldType, value: CanonicalValue | undefined): Misfit['code'] {
  const integer = typeof value === 'bigint' || Number.isInteger(value);
  if (integer && (type.kind === 'int' || type.kind === 'long')) return misfits.integerRange;
  if (typeof value === 'string' && type.kind === 'enum') return misfits.enumSymbol;
  return misfits.representation;
}

function shapeOf(value: CanonicalValue | undefined): string {
  return Buffer.isBuffer(value) ? 'Buffer' : typeof value;
}
