// A field's default as schema JSON, read into its canonical value.
// Guarantees: a default fits its field's first branch, as Avro demands; bytes and decimals come from their code points.
// https://avro.apache.org/docs/1.11.1/specification/#complex-types
import { decimalOfBytes } from './decimal.ts';
import type { CanonicalValue } from './event.ts';
import type { ParsedType } from './field-type.ts';
import { Misfit } from './misfit.ts';
import { describeType } from './schema.ts';
import { quote, type Report } from './schema-json.ts';
import { checkValue } from './value-check.ts';

/** The value; undefined after a report. */
export function parseFieldDefault(
  json: unknown,
  of: ParsedType,
  path: string,
  report: Report,
): CanonicalValue | undefined {
  const { type, nullBranch } = of;
  if (nullBranch === 'first') {
    if (json === null) return null;
    report('WB3007', path, quote(json), "null, for the default is of the union's first type");
    return undefined;
  }
  const value = type.kind === 'bytes' || type.kind === 'decimal' ? ofCodePoints(json, type) : json;
  const misfit = checkValue(type, 'none', value as CanonicalValue);
  if (value === undefined || misfit instanceof Misfit) {
    report('WB3007', path, quote(json), `a default of type ${describeType(type)}`);
    return undefined;
  }
  return value as CanonicalValue;
}

function ofCodePoints(json: unknown, type: ParsedType['type']): Buffer | string | undefined {
  if (typeof json !== 'string' || !/^[^\u0100-\uffff]*$/.test(json)) return undefined;
  const bytes = Buffer.from(json, 'latin1');
  return type.kind === 'decimal' ? decimalOfBytes(bytes, 0, bytes.length, type.scale) : bytes;
}
