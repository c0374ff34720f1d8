// PostgreSQL's arrays, composites and hstores as JSON text.
// Guarantees: lossless. Elements of integer types and numeric become JSON numbers where a reader's double is exact, that is
// where its shortest text is the element's own; booleans become true and false, json stays json; all else is a string.
import { Misfit, misfits } from './misfit.ts';
import {
  type ArrayItem,
  parseArrayLiteral,
  parseCompositeLiteral,
  parseHstoreLiteral,
} from './pg-literal.ts';

const numbers = new Set(['int2', 'int4', 'int8', 'oid', 'float4', 'float8', 'numeric']);
const malformedArray = new Misfit(misfits.malformed, "not PostgreSQL's text of an array");
const malformedComposite = new Misfit(misfits.malformed, "not PostgreSQL's text of a composite");
const malformedHstore = new Misfit(misfits.malformed, "not PostgreSQL's text of an hstore");

/**
 * `[1,null,[2]]`; an array whose lower bounds are not 1 becomes `{"bounds":"[0:1]","items":[…]}`, for the bounds are part
 * of the value.
 */
export function arrayToJson(elementType: string | null): (text: string) => string | Misfit {
  const delimiter = elementType === 'box' ? ';' : ',';
  const write = elementWriter(elementType);
  const list = (items: readonly ArrayItem[]): string =>
    `[${items.map((item) => (typeof item === 'string' ? write(item) : item === null ? 'null' : list(item))).join(',')}]`;
  return (text) => {
    const literal = parseArrayLiteral(text, delimiter);
    if (literal === null) return malformedArray;
    const items = list(literal.items);
    return literal.bounds === null ? items : `{"bounds":${JSON.stringify(literal.bounds)},"items":${items}}`;
  };
}

/** The fields' own texts in order, as a list: a composite's literal names neither fields nor types. */
export function compositeToJson(text: string): string | Misfit {
  const fields = parseCompositeLiteral(text);
  return fields === null ? malformedComposite : JSON.stringify(fields);
}

/** An object of strings and nulls. */
export function hstoreToJson(text: string): string | Misfit {
  const pairs = parseHstoreLiteral(text);
  if (pairs === null) return malformedHstore;
  // Written by hand: an object would reorder keys that look like numbers and lose `__proto__`.
  const members = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{${members.join(',')}}`;
}

function elementWriter(elementType: string | null): (text: string) => string {
  if (elementType === 'bool') return (text) => (text === 't' ? 'true' : 'false');
  if (elementType === 'json' || elementType === 'jsonb') return (text) => text;
  if (elementType !== null && numbers.has(elementType)) {
    return (text) => (String(Number(text)) === text && isJsonNumber(text) ? text : JSON.stringify(text));
  }
  return (text) => JSON.stringify(text);
}

function isJsonNumber(text: string): boolean {
  return /^-?\d+(\.\d+)?$/.test(text);
}
