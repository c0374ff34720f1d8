// RFC 9535 JSONPath over JSON text, without losing digits on the way.
// Guarantees: numbers that a double would change keep their text; a query that can match once gives that value's text, any
// other a JSON array of all matches.
import { compile } from 'json-p3';
import { LosslessNumber, parse, stringify } from 'lossless-json';
import { rejections, Unmappable } from './unmappable.ts';

export type JsonPick = (json: string) => string | null | Unmappable;

/** Throws json-p3's JSONPathSyntaxError for a query that is none. */
export function compileJsonPath(path: string): JsonPick {
  const query = compile(path);
  const single = query.singularQuery();
  return (json) => {
    let matches: unknown[];
    try {
      matches = query.query(parseJson(json) as Parameters<typeof query.query>[0]).values();
    } catch {
      return new Unmappable(rejections.json, `jsonPath ${path}: the text is no JSON`);
    }
    if (!single) return stringify(matches) ?? null;
    return matches.length === 0 ? null : textOf(matches[0]);
  };
}

// Only numbers that may be longer than a double holds need the slower parser.
const exactEnough = /\d{16}|\d\.\d|\d[eE]|-0/;

function parseJson(text: string): unknown {
  return exactEnough.test(text) ? parse(text, undefined, parseNumber) : JSON.parse(text);
}

function parseNumber(text: string): unknown {
  const number = Number(text);
  return String(number) === text ? number : new LosslessNumber(text);
}

function textOf(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'number') return String(value);
  if (value instanceof LosslessNumber) return value.value;
  return stringify(value) ?? null;
}
