// T-SQL's tokens. Keywords are told apart by the parser: here a word is a word.
import { errors, SqlError, unsupported } from './errors.ts';

export interface Token {
  readonly kind:
    | 'word'
    | 'quoted'
    | 'string'
    | 'nstring'
    | 'number'
    | 'binary'
    | 'variable'
    | 'symbol'
    | 'end';
  /** Without quotes and escapes; symbols and words as written. */
  readonly text: string;
  /** Words in upper case, else the empty string: a quoted name is never a keyword. */
  readonly word: string;
  readonly line: number;
  readonly start: number;
  readonly stop: number;
}

const PATTERN =
  /(\s+|--[^\n]*)|(\/\*)|(N?)'((?:[^']|'')*)('?)|\[((?:[^\]]|\]\])*)\]|"((?:[^"]|"")*)"|(0[xX][0-9a-fA-F]*)|((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(@@?[\p{L}_#$@\d]*)|([\p{L}_#][\p{L}\p{N}_#$@]*)|(<>|<=|>=|!=|!<|!>|\+=|-=|\*=|\/=|%=|&=|\|=|\^=|::|[-+*/%&|^~=<>(),.;:])/uy;

/** Throws 102, 105 (unclosed quotation mark) or 113 (missing end comment mark). */
export function tokenize(sql: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let at = 0;
  while (at < sql.length) {
    PATTERN.lastIndex = at;
    const m = PATTERN.exec(sql);
    if (!m) throw sql[at] === '$' ? unsupported('a money literal') : errors.syntax(sql[at] ?? '');
    const begun = line;
    let stop = PATTERN.lastIndex;
    if (m[2]) stop = endOfComment(sql, stop);
    const text = sql.slice(at, stop);
    for (let i = text.indexOf('\n'); i >= 0; i = text.indexOf('\n', i + 1)) line++;
    const place = { line: begun, start: at, stop };
    if (m[4] !== undefined) {
      if (m[5] === '') {
        throw new SqlError(
          105,
          `Unclosed quotation mark after the character string '${m[4].slice(0, 100)}'.`,
          1,
          15,
        );
      }
      tokens.push({
        kind: m[3] ? 'nstring' : 'string',
        text: m[4].replaceAll("''", "'"),
        word: '',
        ...place,
      });
    } else if (m[6] !== undefined) {
      tokens.push({ kind: 'quoted', text: m[6].replaceAll(']]', ']'), word: '', ...place });
    } else if (m[7] !== undefined) {
      tokens.push({ kind: 'quoted', text: m[7].replaceAll('""', '"'), word: '', ...place });
    } else if (m[8]) {
      tokens.push({ kind: 'binary', text: m[8].slice(2), word: '', ...place });
    } else if (m[9]) {
      tokens.push({ kind: 'number', text: m[9], word: '', ...place });
    } else if (m[10]) {
      tokens.push({ kind: 'variable', text: m[10], word: '', ...place });
    } else if (m[11]) {
      tokens.push({ kind: 'word', text: m[11], word: m[11].toUpperCase(), ...place });
    } else if (m[12]) {
      tokens.push({ kind: 'symbol', text: m[12], word: '', ...place });
    }
    at = stop;
  }
  tokens.push({ kind: 'end', text: '', word: '', line, start: at, stop: at });
  return tokens;
}

/** Comments nest in T-SQL. */
function endOfComment(sql: string, from: number): number {
  let depth = 1;
  let at = from;
  while (depth > 0) {
    const open = sql.indexOf('/*', at);
    const close = sql.indexOf('*/', at);
    if (close < 0) throw new SqlError(113, "Missing end comment mark '*/'.", 1, 15);
    if (open >= 0 && open < close) {
      depth++;
      at = open + 2;
    } else {
      depth--;
      at = close + 2;
    }
  }
  return at;
}
