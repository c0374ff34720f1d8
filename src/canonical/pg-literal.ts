// Parsers of PostgreSQL's array, composite and hstore literals.
// Guarantees: quotes, escapes, NULLs, nesting and lower bounds as the server prints them; null for anything else.
// https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO
// https://www.postgresql.org/docs/current/rowtypes.html#ROWTYPES-IO-SYNTAX

/** An element's text, null for NULL, or a nested dimension. */
export type ArrayItem = string | null | readonly ArrayItem[];

export interface ArrayLiteral {
  /** `[2:4][0:1]` where a dimension doesn't begin at 1, else null. */
  readonly bounds: string | null;
  readonly items: readonly ArrayItem[];
}

/** `{1,"a b",NULL,{2,3}}`; `delimiter` is pg_type.typdelim, a semicolon for box alone. */
export function parseArrayLiteral(text: string, delimiter = ','): ArrayLiteral | null {
  const bounds = /^((?:\[[+-]?\d+:[+-]?\d+\])+)=/.exec(text);
  const scan: Scan = { text, at: bounds === null ? 0 : bounds[0].length };
  const items = arrayAt(scan, delimiter);
  if (items === null || scan.at !== text.length) return null;
  return { bounds: bounds?.[1] ?? null, items };
}

interface Scan {
  readonly text: string;
  at: number;
}

function arrayAt(scan: Scan, delimiter: string): ArrayItem[] | null {
  if (scan.text[scan.at] !== '{') return null;
  scan.at += 1;
  const items: ArrayItem[] = [];
  if (scan.text[scan.at] === '}') {
    scan.at += 1;
    return items;
  }
  for (;;) {
    const item = itemAt(scan, delimiter);
    if (item === undefined) return null;
    items.push(item);
    const next = scan.text[scan.at];
    scan.at += 1;
    if (next === '}') return items;
    if (next !== delimiter) return null;
  }
}

/** Undefined where there is no item. */
function itemAt(scan: Scan, delimiter: string): ArrayItem | undefined {
  const { text } = scan;
  if (text[scan.at] === '{') return arrayAt(scan, delimiter) ?? undefined;
  if (text[scan.at] === '"') return quotedAt(scan) ?? undefined;
  let value = '';
  for (;;) {
    const char = text[scan.at];
    if (char === undefined || char === '{' || char === '"') return undefined;
    if (char === delimiter || char === '}') break;
    if (char === '\\') scan.at += 1;
    value += text[scan.at] ?? '';
    scan.at += 1;
  }
  if (value === '') return undefined;
  return value === 'NULL' ? null : value;
}

/** A double-quoted string with backslash escapes, and `""` for a quote as composites print it. */
function quotedAt(scan: Scan): string | null {
  const { text } = scan;
  let value = '';
  let from = scan.at + 1;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === 92) {
      value += text.slice(from, at);
      at += 1;
      from = at;
    } else if (code === 34) {
      value += text.slice(from, at);
      if (text.charCodeAt(at + 1) !== 34) {
        scan.at = at + 1;
        return value;
      }
      at += 1;
      from = at;
    }
  }
  return null;
}

/** `(1,"a b",)`: the fields' texts, null for NULL. */
export function parseCompositeLiteral(text: string): (string | null)[] | null {
  if (!text.startsWith('(') || !text.endsWith(')')) return null;
  if (text === '()') return [];
  const scan: Scan = { text, at: 1 };
  const end = text.length - 1;
  const fields: (string | null)[] = [];
  for (;;) {
    const field = fieldAt(scan, end);
    if (field === undefined) return null;
    fields.push(field);
    if (scan.at === end) return fields;
    if (text[scan.at] !== ',') return null;
    scan.at += 1;
  }
}

function fieldAt(scan: Scan, end: number): string | null | undefined {
  const { text } = scan;
  if (text[scan.at] === '"') return quotedAt(scan) ?? undefined;
  const from = scan.at;
  while (scan.at < end && text[scan.at] !== ',') {
    if (text[scan.at] === '"' || text[scan.at] === '(' || text[scan.at] === ')') return undefined;
    scan.at += 1;
  }
  return scan.at === from ? null : text.slice(from, scan.at);
}

/** `"a"=>"1", "b"=>NULL`: pairs in the server's order. */
export function parseHstoreLiteral(text: string): [string, string | null][] | null {
  const pairs: [string, string | null][] = [];
  const scan: Scan = { text, at: 0 };
  while (scan.at < text.length) {
    if (pairs.length > 0) {
      if (!text.startsWith(', ', scan.at)) return null;
      scan.at += 2;
    }
    if (text[scan.at] !== '"') return null;
    const key = quotedAt(scan);
    if (key === null || !text.startsWith('=>', scan.at)) return null;
    scan.at += 2;
    if (text.startsWith('NULL', scan.at)) {
      scan.at += 4;
      pairs.push([key, null]);
      continue;
    }
    const value = text[scan.at] === '"' ? quotedAt(scan) : null;
    if (value === null) return null;
    pairs.push([key, value]);
  }
  return pairs;
}
