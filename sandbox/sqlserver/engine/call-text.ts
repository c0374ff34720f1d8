// Functions of texts, JSON and bytes.
// (https://learn.microsoft.com/sql/t-sql/functions/string-functions-transact-sql)

import { format } from './call-format.ts';
import { type Functions, integer, like, made, type Plain, string, takes, varying } from './call-plain.ts';
import { convert } from './convert.ts';
import { sqlError, unsupported } from './errors.ts';
import { concatenation, likeAsRegex } from './operators.ts';
import { type Bound, text } from './scope.ts';
import { BIGINT, category, FLOAT, fixedBytes, INT, isUnicode, nvarchar, varchar } from './types.ts';

/** name(t(e)) for PostgreSQL functions of text, which must not lose trailing blanks. */
const onText =
  (name: string, trim = ''): Plain =>
  (value) => {
    const e = string(value);
    return like(e, `${name}(_sandbox.t(${e.sql})${trim})::bpchar`, { nullable: e.nullable });
  };

const slice =
  (sql: (value: string, length: string) => string): Plain =>
  (value, length) => {
    const e = string(value);
    const size = length?.literal !== undefined ? Math.max(1, Number(length.literal)) : undefined;
    const known =
      size !== undefined && e.type.length !== 'max' ? Math.min(size, e.type.length ?? size) : e.type.length;
    return like(e, `${sql(`_sandbox.t(${e.sql})`, integer(length!))}::bpchar`, { type: varying(e, known) });
  };

function jsonPath(path: Bound | undefined): string {
  if (!path) return "'{}'";
  if (path.literal === undefined) throw unsupported('a JSON path that is not a literal');
  return text(pathAsArray(path.literal));
}

/** `lax $.a."b c"[0]` as the text array that PostgreSQL's #> takes. */
export function pathAsArray(path: string): string {
  const m = /^\s*(lax\s+|strict\s+)?\$(.*)$/s.exec(path);
  if (!m || m[1]?.startsWith('strict')) throw unsupported(`JSON path '${path}'`);
  const steps: string[] = [];
  const rest = (m[2] ?? '').replace(
    /\.\s*"((?:[^"\\]|\\.)*)"|\.\s*([\p{L}_$][\p{L}\p{N}_$]*)|\[(\d+)\]/gu,
    (_, quoted, word, index) => {
      steps.push(quoted ?? word ?? index);
      return '';
    },
  );
  if (rest.trim()) throw sqlError(13607, rest.trim()[0], path.length - rest.length);
  return `{${steps.map((s) => `"${s.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`;
}

export const TEXT_FUNCTIONS: Functions = {
  CONCAT: takes(2, 254, (...args) =>
    args
      .map((a) => convert(string(a), string(a).type))
      .map((a) => ({ ...a, sql: `COALESCE(${a.sql},''::bpchar)`, nullable: false }))
      .reduce(concatenation),
  ),
  CONCAT_WS: takes(3, 254, (separator, ...args) => {
    const parts = args.map(string);
    const type = [...parts, string(separator!)].some((p) => isUnicode(p.type))
      ? nvarchar(4000)
      : varchar(8000);
    return made(
      `concat_ws(_sandbox.t(${string(separator!).sql}),${parts.map((p) => `_sandbox.t(${p.sql})`).join(',')})::bpchar`,
      type,
      false,
    );
  }),
  LEN: takes(1, 1, (e) =>
    made(`_sandbox.len(${string(e!).sql})`, e!.type.length === 'max' ? BIGINT : INT, e!.nullable),
  ),
  DATALENGTH: takes(1, 1, (e) => {
    const type = e!.type.length === 'max' ? BIGINT : INT;
    if (category(e!.type) === 'binary') return made(`octet_length(${e!.sql})`, type, e!.nullable);
    const bytes = fixedBytes(e!.type);
    if (bytes) return made(`(CASE WHEN ${e!.sql} IS NOT NULL THEN ${bytes} END)`, INT, e!.nullable);
    if (category(e!.type) !== 'string') throw unsupported(`DATALENGTH of ${e!.type.name}`);
    return made(
      isUnicode(e!.type) ? `(2*_sandbox.units(${e!.sql}))` : `char_length(_sandbox.t(${e!.sql}))`,
      type,
      e!.nullable,
    );
  }),
  LEFT: takes(
    2,
    2,
    slice((v, n) => `_sandbox.left(${v},${n})`),
  ),
  RIGHT: takes(
    2,
    2,
    slice((v, n) => `_sandbox.right(${v},${n})`),
  ),
  SUBSTRING: takes(3, 3, (value, start, length) => {
    if (category(value!.type) === 'binary')
      return made(`substr(${value!.sql},${integer(start!)},${integer(length!)})`, value!.type);
    return slice((v, n) => `substr(${v},${integer(start!)},${n})`)(value!, length!);
  }),
  REPLACE: takes(3, 3, (value, from, to) => {
    const e = string(value!);
    const collate = e.collation ? '' : ' COLLATE _sandbox.ci';
    return like(
      e,
      `replace(_sandbox.t(${e.sql})${collate},_sandbox.t(${string(from!).sql}),_sandbox.t(${string(to!).sql}))::bpchar`,
      { type: varying(e, isUnicode(e.type) ? 4000 : 8000) },
    );
  }),
  UPPER: takes(1, 1, onText('upper', ' COLLATE pg_c_utf8')),
  LOWER: takes(1, 1, onText('lower', ' COLLATE pg_c_utf8')),
  LTRIM: takes(1, 1, onText('ltrim', ",' '")),
  RTRIM: takes(1, 1, onText('rtrim', ",' '")),
  TRIM: takes(1, 1, onText('btrim', ",' '")),
  REVERSE: takes(1, 1, onText('reverse')),
  REPLICATE: takes(2, 2, (value, n) => {
    const e = string(value!);
    return like(e, `repeat(_sandbox.t(${e.sql}),${integer(n!)})::bpchar`, {
      type: varying(e, e.type.length === 'max' ? 'max' : isUnicode(e.type) ? 4000 : 8000),
    });
  }),
  SPACE: takes(1, 1, (n) => made(`repeat(' ',${integer(n!)})::bpchar`, varchar(8000))),
  STUFF: takes(4, 4, (value, start, length, insert) => {
    const e = string(value!);
    return like(
      e,
      `_sandbox.stuff(_sandbox.t(${e.sql}),${integer(start!)},${integer(length!)},_sandbox.t(${string(insert!).sql}))::bpchar`,
      { type: varying(e, isUnicode(e.type) ? 4000 : 8000) },
    );
  }),
  CHARINDEX: takes(2, 3, (needle, value, from) => {
    const [n, e] = [string(needle!), string(value!)];
    const collate = e.collation || n.collation ? '' : ' COLLATE _sandbox.ci';
    return made(
      `_sandbox.charindex(_sandbox.t(${n.sql}),_sandbox.t(${e.sql})${collate},${from ? integer(from) : 1})`,
      e.type.length === 'max' ? BIGINT : INT,
    );
  }),
  ASCII: takes(1, 1, (e) => made(`ascii(_sandbox.t(${string(e!).sql}))`, INT)),
  UNICODE: takes(1, 1, (e) => made(`ascii(_sandbox.t(${string(e!).sql}))`, INT)),
  CHAR: takes(1, 1, (e) => made(`chr(${integer(e!)})::bpchar`, { name: 'char', length: 1 })),
  NCHAR: takes(1, 1, (e) => made(`chr(${integer(e!)})::bpchar`, { name: 'nchar', length: 1 })),
  QUOTENAME: takes(1, 1, (e) =>
    made(`('['||replace(_sandbox.t(${string(e!).sql}),']',']]')||']')::bpchar`, nvarchar(258)),
  ),
  STR: takes(1, 3, (e, length, places) => {
    const [size, digits] = [Number(length?.literal ?? 10), Number(places?.literal ?? 0)];
    if (Number.isNaN(size + digits)) throw unsupported('STR with a length that is not a literal');
    const rounded = `round((${convert(e!, FLOAT).sql})::numeric,${Math.min(digits, 16)})::text`;
    return made(
      `(CASE WHEN length(${rounded})>${size} THEN repeat('*',${size}) ELSE lpad(${rounded},${size}) END)::bpchar`,
      varchar(size),
    );
  }),
  FORMAT: takes(2, 3, format),
  TRANSLATE: takes(3, 3, (e, from, to) =>
    like(
      string(e!),
      `translate(_sandbox.t(${string(e!).sql}),_sandbox.t(${string(from!).sql}),_sandbox.t(${string(to!).sql}))::bpchar`,
    ),
  ),
  PATINDEX: takes(2, 2, (pattern, e) => {
    const value = string(e!);
    const inner = /^%(.*)%$/s.exec(pattern!.literal ?? '')?.[1];
    if (inner === undefined || /[%\\]/.test(inner))
      throw unsupported("PATINDEX other than of a literal '%pattern%'");
    const regex = text(likeAsRegex(inner, '').replace(/^\^|\$$/g, ''));
    const flag = value.collation === 'binary' ? '' : 'i';
    return made(
      `coalesce(regexp_instr(_sandbox.t(${value.sql}) COLLATE pg_c_utf8,${regex},1,1,0,'${flag}'),0)`,
      value.type.length === 'max' ? BIGINT : INT,
    );
  }),
  HASHBYTES: takes(2, 2, (algorithm, value) => {
    const name = algorithm!.literal?.toUpperCase() ?? '';
    const hash = { MD5: 'md5', SHA2_256: 'sha256', SHA2_512: 'sha512' }[name];
    if (!hash) throw unsupported(`HASHBYTES('${name}')`);
    const bytes = convert(value!, { name: 'varbinary', length: 'max' }).sql;
    return made(hash === 'md5' ? `decode(md5(${bytes}),'hex')` : `${hash}(${bytes})`, {
      name: 'varbinary',
      length: 8000,
    });
  }),
  ISJSON: takes(1, 1, (e) => made(`(_sandbox.t(${string(e!).sql}) IS JSON)::int`, INT)),
  JSON_VALUE: takes(2, 2, (e, path) =>
    made(`_sandbox.json_value(_sandbox.t(${string(e!).sql}),${jsonPath(path)}::text[])`, nvarchar(4000)),
  ),
  JSON_QUERY: takes(1, 2, (e, path) =>
    made(`_sandbox.json_query(_sandbox.t(${string(e!).sql}),${jsonPath(path)}::text[])`, nvarchar('max')),
  ),
  STRING_ESCAPE: takes(2, 2, (e) =>
    made(`trim(both '"' from to_json(_sandbox.t(${string(e!).sql}))::text)::bpchar`, nvarchar('max')),
  ),
};
