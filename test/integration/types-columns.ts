// Every type of docs/types.md as a column, with the values that break careless bridges, and how a value is read back from
// each side as exact text.

/** How both sides spell a value of the column's type; `v` stands for the column. */
interface Spelling {
  readonly source: string;
  readonly target: string;
}

const number: Spelling = { source: 'v::text', target: 'CONVERT(varchar(60), v)' };
/** The type's own output function: a cast would strip char(n) of its blanks. */
const text: Spelling = { source: "format('%s', v)", target: 'v' };
const stamp = "'YYYY-MM-DD HH24:MI:SS.US'";

export const spellings = {
  boolean: { source: 'v::int::text', target: 'CONVERT(varchar(1), v)' },
  number,
  float: { source: 'v::float8::text', target: 'CONVERT(float, v)' },
  date: { source: "to_char(v, 'YYYY-MM-DD')", target: 'CONVERT(varchar(10), v, 23)' },
  time: { source: "to_char(v, 'HH24:MI:SS.US')", target: 'CONVERT(varchar(16), v, 121)' },
  timestamp: { source: `to_char(v, ${stamp})`, target: 'CONVERT(varchar(27), v, 121)' },
  timestamptz: {
    source: `to_char(v AT TIME ZONE 'UTC', ${stamp}) || ' +00:00'`,
    target: 'CONVERT(varchar(34), v, 121)',
  },
  uuid: { source: 'v::text', target: 'LOWER(CONVERT(varchar(36), v))' },
  bytes: { source: "encode(v, 'hex')", target: 'v' },
  text,
  /** Compared with the JSON that the case states. */
  json: { source: 'NULL', target: 'v' },
} satisfies Record<string, Spelling>;

/** An SQL expression; with `json`: the JSON text that must arrive, with `code`: the row goes to quarantine. */
export type Case = string | { readonly sql: string; readonly json?: string; readonly code?: string };

interface TypedColumn {
  readonly type: string;
  readonly as: keyof typeof spellings;
  readonly cases: readonly Case[];
}

const misfit = (sql: string, code: string): Case => ({ sql, code });
const json = (sql: string, expected: string): Case => ({ sql, json: expected });
const quoted = (sql: string) => `'${sql.replaceAll("'", "''")}'`;

export const preamble = `
  CREATE EXTENSION citext; CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION cube; CREATE EXTENSION isn;
  CREATE TYPE mood AS ENUM ('sad', 'ok', 'Ha ppy');
  CREATE TYPE stage AS ENUM ('open', 'won');
  CREATE TYPE pair AS (n int, "odd name" text, list int[]);
  CREATE DOMAIN price AS numeric(8,2) CHECK (value > -1000);
  CREATE DOMAIN deep AS price;
  CREATE DOMAIN email AS citext;
  CREATE DOMAIN day AS date;
  CREATE DOMAIN tags AS text[];
  CREATE DOMAIN couple AS pair;`;

/** Run after the schemas were generated: a label that they do not have. */
export const afterwards = "ALTER TYPE stage ADD VALUE 'lost'";

const nines = (count: number) => '9'.repeat(count);

export const columns: Readonly<Record<string, TypedColumn>> = {
  c_bool: { type: 'boolean', as: 'boolean', cases: ['true', 'false'] },
  c_int2: { type: 'int2', as: 'number', cases: ['-32768', '32767'] },
  c_int4: { type: 'int4', as: 'number', cases: ['-2147483648', '2147483647'] },
  c_int8: {
    type: 'int8',
    as: 'number',
    cases: ['-9223372036854775808', '9223372036854775807', '9007199254740993', '-9007199254740993'],
  },
  c_oid: { type: 'oid', as: 'number', cases: ['4294967295'] },
  c_float4: {
    type: 'float4',
    as: 'float',
    cases: [
      '3.4028235e38',
      '1.17549435e-38',
      '-0.1',
      misfit("'NaN'", 'WB4102'),
      misfit("'Infinity'", 'WB4102'),
      misfit("'1e-45'", 'WB4102'),
    ],
  },
  c_float8: {
    type: 'float8',
    as: 'float',
    cases: [
      '1.7976931348623157e308',
      '-2.2250738585072014e-308',
      "'-0'",
      '0.1::float8 + 0.2::float8',
      misfit("'NaN'", 'WB4102'),
      misfit("'-Infinity'", 'WB4102'),
      misfit("'5e-324'", 'WB4102'),
    ],
  },
  c_numeric38: {
    type: 'numeric(38,10)',
    as: 'number',
    cases: [
      `${nines(28)}.${nines(10)}`,
      `-${nines(28)}.${nines(10)}`,
      '0.0000000001',
      misfit("'NaN'", 'WB3105'),
    ],
  },
  c_numeric39: {
    type: 'numeric(39,0)',
    as: 'number',
    cases: [nines(38), misfit(nines(39), 'WB3103')],
  },
  c_numeric_neg: { type: 'numeric(3,-2)', as: 'number', cases: ['99900', '-100'] },
  c_numeric_small: { type: 'numeric(3,5)', as: 'number', cases: ['0.00999'] },
  c_numeric: {
    type: 'numeric',
    as: 'number',
    cases: [
      '123456789012345678.0123456789',
      misfit('1.12345678901', 'WB3104'),
      misfit(`1${'0'.repeat(28)}`, 'WB3103'),
      misfit("'Infinity'", 'WB3106'),
      misfit("'-Infinity'", 'WB3106'),
    ],
  },
  c_date: {
    type: 'date',
    as: 'date',
    cases: [
      "'0001-01-01'",
      "'9999-12-31'",
      "'1582-10-10'",
      misfit("'0001-12-31 BC'", 'WB3108'),
      misfit("'10000-01-01'", 'WB3108'),
      misfit("'5874897-12-31'", 'WB3108'),
      misfit("'-infinity'", 'WB3107'),
    ],
  },
  c_time: {
    type: 'time',
    as: 'time',
    cases: ["'00:00:00'", "'23:59:59.999999'", misfit("'24:00:00'", 'WB3109')],
  },
  c_timestamp: {
    type: 'timestamp',
    as: 'timestamp',
    cases: [
      "'0001-01-01 00:00:00.000001'",
      "'9999-12-31 23:59:59.999999'",
      misfit("'4713-01-01 00:00:00 BC'", 'WB3108'),
      misfit("'294276-12-31 23:59:59.999999'", 'WB3108'),
      misfit("'infinity'", 'WB3107'),
      misfit("'-infinity'", 'WB3107'),
    ],
  },
  c_timestamptz: {
    type: 'timestamptz',
    as: 'timestamptz',
    cases: [
      "'0001-01-01 00:00:00.000001+00'",
      "'9999-12-31 23:59:59.999999+00'",
      "'1883-11-18 12:03:57.123456-04:56:02'",
      misfit("'0001-01-01 00:00:00+01'", 'WB3108'),
      misfit("'9999-12-31 23:59:59-01'", 'WB3108'),
      misfit("'infinity'", 'WB3107'),
    ],
  },
  c_text: {
    type: 'text',
    as: 'text',
    cases: [
      "''",
      "'ends in blanks   '",
      "'   '",
      quoted('\u{1F600} 👨‍👩‍👧 naïve ẞ'),
      "U&'\\FEFF'",
      "U&'\\FEFFa\\FEFF'",
      "E'\\x01\\x02\\t\\r\\n\\x1f\\x7f'",
      "E'it''s \\\\ \"x\" {y} ; -- /* '",
      "repeat('0123456789abcdef', 65536)",
      "repeat('\u{1F600}', 100000)",
      "'NULL'",
    ],
  },
  c_varchar: {
    type: 'varchar(5)',
    as: 'text',
    cases: ["'12345'", "'ab  '", misfit("'\u{1F600}\u{1F600}\u{1F600}'", 'WB4102')],
  },
  c_varchar_wide: { type: 'varchar(5000)', as: 'text', cases: ["repeat('x', 5000)"] },
  c_char: { type: 'char(6)', as: 'text', cases: ["'ab'", "''"] },
  c_name: { type: 'name', as: 'text', cases: ["repeat('n', 63)"] },
  c_inner_char: { type: '"char"', as: 'text', cases: ["'x'"] },
  c_citext: { type: 'citext', as: 'text', cases: ["'MiXed '"] },
  c_stage: { type: 'stage', as: 'text', cases: ["'won'", misfit("'lost'", 'WB3110')] },
  c_mood: { type: 'mood', as: 'text', cases: ["'Ha ppy'"] },
  c_price: { type: 'price', as: 'number', cases: ['999999.99'] },
  c_deep: { type: 'deep', as: 'number', cases: ['-999.99'] },
  c_email: { type: 'email', as: 'text', cases: ["'A@b.C'"] },
  c_day: { type: 'day', as: 'date', cases: ["'2000-02-29'", misfit("'infinity'", 'WB3107')] },
  c_uuid: {
    type: 'uuid',
    as: 'uuid',
    cases: ["'FFFFFFFF-ffff-ffff-ffff-ffffffffffff'", "'00000000-0000-0000-0000-000000000000'"],
  },
  c_json: {
    type: 'json',
    as: 'text',
    cases: [quoted('{ "b":1, "a" : 12345678901234567890.10, "a":2, "n":[null, 1e400] }'), "'null'"],
  },
  c_jsonb: { type: 'jsonb', as: 'text', cases: [quoted('{"n":12345678901234567890.10,"e":"😀","d":[]}')] },
  c_bytea: {
    type: 'bytea',
    as: 'bytes',
    cases: ["''", "'\\x00'", "'\\x00ff5c0a2700'", "decode(repeat('00ff10', 349526), 'hex')"],
  },
  c_interval: {
    type: 'interval',
    as: 'text',
    cases: ["'-1 year +2 mons -3 days +04:05:06.000007'", "'infinity'"],
  },
  c_inet: { type: 'inet', as: 'text', cases: ["'2001:db8::1/64'", "'10.0.0.1'"] },
  c_cidr: { type: 'cidr', as: 'text', cases: ["'10.0.0.0/8'"] },
  c_macaddr: { type: 'macaddr', as: 'text', cases: ["'08:00:2b:01:02:03'"] },
  c_macaddr8: { type: 'macaddr8', as: 'text', cases: ["'08:00:2b:01:02:03:04:05'"] },
  c_money: { type: 'money', as: 'text', cases: ["'-92233720368547758.08'"] },
  c_bit: { type: 'bit(3)', as: 'text', cases: ["B'101'"] },
  c_varbit: { type: 'varbit', as: 'text', cases: ["B''", "B'0000000001'"] },
  c_timetz: { type: 'timetz', as: 'text', cases: ["'24:00:00-15:59:59'", "'12:00:00.000001+01'"] },
  c_pg_lsn: { type: 'pg_lsn', as: 'text', cases: ["'FFFFFFFF/FFFFFFFF'"] },
  c_jsonpath: { type: 'jsonpath', as: 'text', cases: [quoted('$.a[*] ? (@ > 1)')] },
  c_xml: { type: 'xml', as: 'text', cases: ['\'<a b="1">\u{1F600}&amp;</a>\'::xml'] },
  c_tsvector: { type: 'tsvector', as: 'text', cases: ["'fat:1A cat:2 ''it''''s'':3'::tsvector"] },
  c_tsquery: { type: 'tsquery', as: 'text', cases: ["'fat & !cat'"] },
  c_xid8: { type: 'xid8', as: 'text', cases: ["'18446744073709551615'"] },
  c_xid: { type: 'xid', as: 'text', cases: ["'4294967295'"] },
  c_tid: { type: 'tid', as: 'text', cases: ["'(4294967295,65535)'"] },
  c_int2vector: { type: 'int2vector', as: 'text', cases: ["'1 -32768'", "''"] },
  c_oidvector: { type: 'oidvector', as: 'text', cases: ["'0 4294967295'"] },
  c_regclass: { type: 'regclass', as: 'text', cases: ["'pg_catalog.pg_class'"] },
  c_aclitem: { type: 'aclitem', as: 'text', cases: ["'=r/postgres'"] },
  c_snapshot: { type: 'pg_snapshot', as: 'text', cases: ["'10:20:10,14,15'"] },
  c_ltree: { type: 'ltree', as: 'text', cases: ["'Top.Sales.a_1'", "''"] },
  c_cube: { type: 'cube', as: 'text', cases: ["'(0.1, -1e300),(2, 3)'"] },
  c_isbn: { type: 'isbn13', as: 'text', cases: ["'978-0-393-04002-9'"] },
  c_point: { type: 'point', as: 'text', cases: ["'(0.1,-1e300)'"] },
  c_line: { type: 'line', as: 'text', cases: ["'{1,2,3}'"] },
  c_lseg: { type: 'lseg', as: 'text', cases: ["'[(0,0),(1,1)]'"] },
  c_box: { type: 'box', as: 'text', cases: ["'(1,1),(0,0)'"] },
  c_path: { type: 'path', as: 'text', cases: ["'[(0,0),(1,1),(2,0)]'"] },
  c_polygon: { type: 'polygon', as: 'text', cases: ["'((0,0),(1,1),(2,0))'"] },
  c_circle: { type: 'circle', as: 'text', cases: ["'<(1,2),3.5>'"] },
  c_varbit8: { type: 'varbit(8)', as: 'text', cases: ["B'11'"] },
  c_bpchar: { type: 'bpchar', as: 'text', cases: ["'ab  '"] },
  c_varchar_free: { type: 'varchar', as: 'text', cases: ["repeat('x', 100000)", "''"] },
  c_timestamp0: { type: 'timestamp(0)', as: 'timestamp', cases: ["'2024-02-29 23:59:59'"] },
  c_timestamptz3: { type: 'timestamptz(3)', as: 'timestamptz', cases: ["'2024-02-29 23:59:59.999+14'"] },
  c_time0: { type: 'time(0)', as: 'time', cases: ["'23:59:59'", misfit("'23:59:59.9'", 'WB3109')] },
  c_interval_ym: { type: 'interval year to month', as: 'text', cases: ["'178000000 years -11 mons'"] },
  c_int4range: { type: 'int4range', as: 'text', cases: ["'[-2147483648,2147483647)'"] },
  c_numrange: { type: 'numrange', as: 'text', cases: ["'[0.10,1e40)'", "'(,)'"] },
  c_tsrange: { type: 'tsrange', as: 'text', cases: ["'[0044-03-15 BC,infinity)'"] },
  c_daterange: { type: 'daterange', as: 'text', cases: ["'[2024-02-29,2024-02-29]'"] },
  c_nummultirange: { type: 'nummultirange', as: 'text', cases: ["'{[1.50,2),(3,)}'", "'{}'"] },
  c_int8range: { type: 'int8range', as: 'text', cases: ["'[1,9223372036854775807)'", "'empty'", "'(,)'"] },
  c_tstzrange: { type: 'tstzrange', as: 'text', cases: ["'[-infinity,2026-01-01 00:00:00.000001+00]'"] },
  c_datemultirange: {
    type: 'datemultirange',
    as: 'text',
    cases: ["'{[2020-01-01,2020-02-01),[2021-01-01,)}'"],
  },
  c_hstore: {
    type: 'hstore',
    as: 'json',
    cases: [
      json(
        quoted('"a b"=>"1", "q\\"x"=>NULL, "10"=>"", "2"=>"y"'),
        '{"2":"y","10":"","a b":"1","q\\"x":null}',
      ),
    ],
  },
  c_pair: {
    type: 'pair',
    as: 'json',
    cases: [
      json(`ROW(1, 'a "q" , \\ ', ARRAY[1,NULL])::pair`, '["1","a \\"q\\" , \\\\ ","{1,NULL}"]'),
      json("ROW(NULL, '', NULL)::pair", '[null,"",null]'),
    ],
  },
  c_couple: { type: 'couple', as: 'json', cases: [json("ROW(2, 'x', NULL)::pair", '["2","x",null]')] },
  c_int4s: {
    type: 'int4[]',
    as: 'json',
    cases: [
      json("'{}'", '[]'),
      json("'{1,NULL,-2147483648}'", '[1,null,-2147483648]'),
      json("'{{{1,2},{3,4}},{{5,6},{7,8}}}'", '[[[1,2],[3,4]],[[5,6],[7,8]]]'),
      json("'[0:1]={7,8}'", '{"bounds":"[0:1]","items":[7,8]}'),
    ],
  },
  c_int8s: {
    type: 'int8[]',
    as: 'json',
    cases: [json("'{9223372036854775807,1}'", '["9223372036854775807",1]')],
  },
  c_numerics: { type: 'numeric[]', as: 'json', cases: [json("'{1.50,NaN,0.1}'", '["1.50","NaN",0.1]')] },
  c_float8s: {
    type: 'float8[]',
    as: 'json',
    cases: [json("'{NaN,Infinity,-0,0.1}'", '["NaN","Infinity","-0",0.1]')],
  },
  c_bools: { type: 'bool[]', as: 'json', cases: [json("'{t,f,NULL}'", '[true,false,null]')] },
  c_texts: {
    type: 'text[]',
    as: 'json',
    cases: [
      json(
        "ARRAY['a,b', 'c\"d', 'e\\f', '', 'NULL', NULL, ' g ', '{h}', '\u{1F600}']",
        '["a,b","c\\"d","e\\\\f","","NULL",null," g ","{h}","\u{1F600}"]',
      ),
    ],
  },
  c_tags: { type: 'tags', as: 'json', cases: [json("ARRAY['x']", '["x"]')] },
  c_moods: { type: 'mood[]', as: 'json', cases: [json('\'{sad,"Ha ppy"}\'', '["sad","Ha ppy"]')] },
  c_byteas: { type: 'bytea[]', as: 'json', cases: [json("ARRAY['\\x00ff'::bytea]", '["\\\\x00ff"]')] },
  c_jsonbs: {
    type: 'jsonb[]',
    as: 'json',
    cases: [json('ARRAY[\'{"a":[1]}\'::jsonb, \'"s"\'::jsonb]', '[{"a": [1]},"s"]')],
  },
  c_dates: {
    type: 'date[]',
    as: 'json',
    cases: [json("'{infinity,2020-01-01,NULL}'", '["infinity","2020-01-01",null]')],
  },
  c_timestamptzs: {
    type: 'timestamptz[]',
    as: 'json',
    cases: [json("'{2020-01-01 00:00:00.000001+02}'", '["2019-12-31 22:00:00.000001+00"]')],
  },
  c_boxes: {
    type: 'box[]',
    as: 'json',
    cases: [json("'{(1,1),(0,0);(2,2),(1,1)}'", '["(1,1),(0,0)","(2,2),(1,1)"]')],
  },
  c_pairs: {
    type: 'pair[]',
    as: 'json',
    cases: [json("ARRAY[ROW(1,'a,b',NULL)::pair]", '["(1,\\"a,b\\",)"]')],
  },
  c_ranges: { type: 'int4range[]', as: 'json', cases: [json("ARRAY['[1,5)'::int4range]", '["[1,5)"]')] },
  c_uuids: {
    type: 'uuid[]',
    as: 'json',
    cases: [json("'{00000000-0000-0000-0000-000000000001}'", '["00000000-0000-0000-0000-000000000001"]')],
  },
  c_intervals: {
    type: 'interval[]',
    as: 'json',
    cases: [json("'{1 day,-00:00:00.5}'", '["1 day","-00:00:00.5"]')],
  },
};
