// Parsed batches, remembered: applications send the same batches again and again, or batches of which only some statements differ.
// So each statement that ends with a semicolon is parsed, and remembered, by itself where that gives the same.
import type { Statement } from './ast.ts';
import { SqlError } from './errors.ts';
import { parseBatch } from './parse.ts';

/** A statement of a batch, whose lines count from `before`: the lines of the batch in front of it. */
export interface Placed {
  readonly statement: Statement;
  readonly before: number;
}

const MOST = 1_000;
const LONGEST = 65_536;

/** Least recently used first. */
const remembered = new Map<string, readonly Placed[]>();

/** Throws what parseBatch throws. */
export function readBatch(sql: string): readonly Placed[] {
  const known = recall(sql);
  if (known) return known;
  const parts = partsOf(sql);
  if (parts.length > 1 && !declaresTwice(parts)) {
    try {
      return parts.flatMap(({ text, before }) => {
        const placed = recall(text) ?? remember(text, place(parseBatch(text, false)));
        return placed.map((p) => ({ statement: p.statement, before: p.before + before }));
      });
    } catch (error) {
      // A semicolon within a block, or a syntax error: the whole tells.
      if (!(error instanceof SqlError)) throw error;
    }
  }
  return remember(sql, place(parseBatch(sql)));
}

/** One tree for two declarations would hide that the second is an error. */
function declaresTwice(parts: readonly { text: string }[]): boolean {
  const declaring = parts.map(({ text }) => text).filter((text) => /declare/i.test(text));
  return new Set(declaring).size < declaring.length;
}

const place = (statements: readonly Statement[]): readonly Placed[] =>
  statements.map((statement) => ({ statement, before: 0 }));

function recall(text: string): readonly Placed[] | undefined {
  const known = remembered.get(text);
  if (known) {
    remembered.delete(text);
    remembered.set(text, known);
  }
  return known;
}

function remember(text: string, placed: readonly Placed[]): readonly Placed[] {
  if (text.length > LONGEST) return placed;
  remembered.set(text, placed);
  if (remembered.size > MOST) remembered.delete(remembered.keys().next().value!);
  return placed;
}

const TOKEN = /'[^']*'|"[^"]*"|\[[^\]]*\]|--[^\n]*|\/\*|[;\n]/g;

/** What semicolons part; the whole where a comment might hide one. */
function partsOf(sql: string): { text: string; before: number }[] {
  const parts: { text: string; before: number }[] = [];
  let start = 0;
  let before = 0;
  let line = 0;
  const add = (stop: number): void => {
    const text = sql.slice(start, stop);
    if (text.trim()) parts.push({ text, before });
  };
  for (const { 0: token, index } of sql.matchAll(TOKEN)) {
    if (token === '/*') return [];
    if (token === ';') {
      add(index);
      start = index + 1;
      before = line;
    } else {
      for (let at = token.indexOf('\n'); at >= 0; at = token.indexOf('\n', at + 1)) line++;
    }
  }
  add(sql.length);
  return parts;
}
