// What a check of mappings finds, with the exact place, and all at once.
import { describe, expect, it } from 'vitest';
import { checkSource } from '../../src/mapping/check-source.ts';
import { compileMapping, parseMappings } from '../../src/mapping/compile.ts';
import { formatMappingFinding } from '../../src/mapping/finding.ts';
import { mappingText, schemaOf, table } from './mapping-tables.ts';

const schema = schemaOf(
  {
    id: 'long',
    email: ['null', 'string'],
    amount: ['null', { type: 'bytes', logicalType: 'decimal', precision: 18, scale: 2 }],
    at: ['null', { type: 'long', logicalType: 'timestamp-micros' }],
    seats: ['null', 'int'],
    note: ['null', 'string'],
  },
  { email: null, amount: null, at: null, seats: null, note: null },
);
const things = table('things', {
  id: 'int8!',
  email: 'varchar(254)',
  first: 'text',
  last: 'text',
  amount: 'numeric(18,2)',
  at: 'timestamptz',
  seats: 'int4',
  total: 'int8',
  data: 'jsonb',
});

function found(text: string): string[] {
  return parseMappings([{ path: 'things.yaml', text }], [schema]).findings.map(formatMappingFinding);
}

function foundInSource(fields: readonly string[], more: readonly string[] = [], source = things): string[] {
  const { mappings, findings } = parseMappings(
    [{ path: 'things.yaml', text: mappingText(fields, more) }],
    [schema],
  );
  expect(findings.filter(({ severity }) => severity === 'error').map(formatMappingFinding)).toEqual([]);
  return checkSource(mappings[0]!, source).map(formatMappingFinding);
}

describe('the file', () => {
  it('points at broken YAML', () => {
    expect(found('entity: [things\nsource: x')[0]).toMatch(/^WB4001 things.yaml:2:\d+:/);
  });

  it('names the nearest key for a misspelt one, at every depth, all at once', () => {
    const text = mappingText(
      [
        'id: id',
        'email: {form: email}',
        'amount: {target: {colunm: a}}',
        'note: {transform: {lookup: {tabel: {}}}}',
      ],
      ['lanes: main'],
    );
    const all = found(text);
    expect(all).toContainEqual(
      expect.stringMatching(/^WB4002 things.yaml:7:11: found key "form".*nearest: from$/),
    );
    expect(all).toContainEqual(
      expect.stringMatching(/^WB4002 things.yaml:8:21: .*key "colunm".*nearest: column$/),
    );
    expect(all).toContainEqual(
      expect.stringMatching(/^WB4002 things.yaml:9:31: .*key "tabel".*nearest: table$/),
    );
    expect(all).toContainEqual(
      expect.stringMatching(/^WB4002 things.yaml:10:1: .*key "lanes".*nearest: lane$/),
    );
  });

  it('takes names of collations, for character types, and on keys binary ones', () => {
    const of = (id: string, email: string) =>
      found(mappingText([`id: ${id}`, `email: {target: {${email}}}`]));
    const names = ['Latin1_General_BIN2', 'SQL_Latin1_General_CP1_CI_AS', 'SQL_AltDiction_Pref_CP850_CI_AS'];
    names.push('Japanese_Bushu_Kakusu_140_CS_AS_KS_WS_VSS_UTF8', 'Latin1_General_100_CI_AI_SC');
    for (const name of names) expect(of('id', `type: nvarchar(40), collation: ${name}`)).toEqual([]);
    expect(of('id', 'collation: Latin1_General_BIN2')).toEqual([]);
    for (const name of [
      'Latin1_General',
      'utf8',
      '_BIN2',
      '"Latin1_General_BIN2 NULL"',
      '"x; DROP TABLE y_BIN2"',
    ]) {
      expect(of('id', `collation: ${name}`)).toEqual([
        expect.stringMatching(
          /^WB4002 things.yaml:7:31: found collation "[^"]+", expected a collation of SQL Server, such as Latin1_General_BIN2 /,
        ),
      ]);
    }
    expect(of('{target: {collation: Latin1_General_BIN2}}', 'type: nvarchar(9)')).toEqual([
      'WB4002 things.yaml:6:28: found a collation for bigint, expected one for char, varchar, nchar and nvarchar only',
    ]);
    expect(of('id', 'colation: x')).toEqual([expect.stringMatching(/key "colation".*nearest: collation$/)]);
    const key = mappingText([
      'id: id',
      'email: {target: {type: nvarchar(9), nullable: false, collation: Latin1_General_CI_AS}}',
    ]);
    expect(
      found(key.replace('target: crm.things', 'target: {table: crm.things, key: email}')),
    ).toContainEqual(
      expect.stringMatching(
        /^WB4008 things.yaml:7:\d+: found collation Latin1_General_CI_AS on key field "email", expected a binary one/,
      ),
    );
  });

  it('names the nearest transform', () => {
    expect(found(mappingText(['id: id', 'email: {transform: [trimm, lower]}']))).toEqual([
      expect.stringMatching(/^WB4002 things.yaml:7:23: found value "trimm".*nearest: trim$/),
    ]);
  });

  it('says what is missing', () => {
    expect(found('entity: a\ntarget: crm.a\nfields: {}\n')).toEqual([
      expect.stringContaining('no "source"'),
      expect.stringContaining('no "record"'),
    ]);
  });

  it('wants long decimals in quotes', () => {
    const field = 'amount: {transform: {constant: 1234567890123456.25}}';
    expect(found(mappingText(['id: id', field]))).toEqual([
      expect.stringMatching(/^WB4002 things.yaml:7:34: .*more than 15 digits.*quotes/),
    ]);
    expect(found(mappingText(['id: id', field.replace(/(1\S+25)/, '"$1"')]))).toEqual([]);
  });

  it('wants table names with their schema', () => {
    expect(found(mappingText(['id: id']).replace('target: crm.things', 'target: things'))).toEqual([
      'WB4002 things.yaml:4:9: found "things", expected schema.table, such as crm.contacts',
    ]);
  });
});

describe('the record', () => {
  it('names the nearest field and record', () => {
    expect(found(mappingText(['id: id', 'emial: email']))).toEqual([
      expect.stringMatching(/^WB4004 things.yaml:7:3: found field "emial".*nearest: email$/),
    ]);
    expect(found(mappingText(['id: id']).replace('crm.thing@', 'crm.thin@'))).toEqual([
      expect.stringMatching(/^WB4003 things.yaml:3:9: .*nearest: crm.thing@1.0.0$/),
    ]);
  });

  it('wants every field without a default filled', () => {
    const text = mappingText(['email: email']).replace('key: id', 'key: email');
    expect(found(text)).toContainEqual(expect.stringMatching(/^WB4005 things.yaml:5:1: .*no entry for "id"/));
  });

  it('refuses keys that may be null, replaced, or too long', () => {
    expect(found(mappingText(['id: id', 'email: email']).replace('key: id', 'key: email'))).toEqual([
      expect.stringMatching(/^WB4008 things.yaml:7:3: .*may be null/),
      expect.stringMatching(/^WB4008 things.yaml:7:3: .*nvarchar\(max\) for key column/),
    ]);
    expect(found(mappingText(['id: {misfit: {value: 0}}']))).toEqual([
      expect.stringMatching(/^WB4008 things.yaml:6:3: .*misfit on key field/),
    ]);
    const noKey = mappingText(['id: id']).replace('{table: public.things, key: id}', 'public.things');
    expect(found(noKey)).toEqual([expect.stringMatching(/^WB4008 things.yaml:2:9: .*no key/)]);
  });

  it('refuses target types that lose, warns of narrow ones', () => {
    expect(found(mappingText(['id: {target: int}']))).toEqual([
      expect.stringMatching(/^WB4007 things.yaml:6:16: found int for a field of long, expected bigint/),
    ]);
    expect(found(mappingText(['id: id', 'amount: {target: {type: "decimal(18,1)"}}']))).toEqual([
      expect.stringMatching(/^WB4007 things.yaml:7:27: found decimal\(18,1\)/),
    ]);
    expect(found(mappingText(['id: id', 'at: {target: datetime}']))).toEqual([
      expect.stringMatching(/^WB4007 things.yaml:7:16: found datetime /),
    ]);
    expect(found(mappingText(['id: id', 'email: {target: nvarchr(20)}']))).toEqual([
      expect.stringMatching(/nearest: nvarchar$/),
    ]);
  });

  it('refuses constants and replacements that do not fit their field', () => {
    expect(found(mappingText(['id: id', 'seats: {transform: {constant: many}}']))).toEqual([
      expect.stringMatching(/^WB4009 things.yaml:7:22: found a constant that does not fit, expected int/),
    ]);
    expect(found(mappingText(['id: id', 'seats: {misfit: {value: 1.5}}']))).toEqual([
      expect.stringMatching(/^WB4002 things.yaml:7:19:/),
    ]);
  });

  it('refuses two columns of one name, as the default collation compares them', () => {
    expect(found(mappingText(['id: id', 'email: {target: {column: ID}}']))).toEqual([
      expect.stringMatching(/^WB4013 things.yaml:7:3: .*column "ID" twice/),
    ]);
  });
});

describe('expressions', () => {
  it('points into the expression, plain, quoted and in a block', () => {
    expect(found(mappingText(['id: id', 'email: {expr: email.trimm()}']))).toEqual([
      expect.stringMatching(/^WB4010 things.yaml:7:17:/),
    ]);
    expect(found(mappingText(['id: id', 'email: {expr: "first + + last"}']))).toEqual([
      expect.stringMatching(/^WB4010 things.yaml:7:26:/),
    ]);
    expect(found(mappingText(['id: id', 'email:', '  expr: |', '    first +', '      last.nope()']))).toEqual(
      [expect.stringMatching(/^WB4010 things.yaml:10:9:/)],
    );
    expect(found(mappingText(['id: id'], ['filter: seats >']))).toEqual([
      expect.stringMatching(/^WB4010 things.yaml:7:16:/),
    ]);
  });

  it('checks types against the source table', () => {
    expect(foundInSource(['id: id', 'email: {expr: seats + email}'])[0]).toMatch(
      /^WB4010 things.yaml:7:17: found no such overload: int \+ string/,
    );
    expect(foundInSource(['id: id', 'seats: {expr: email}'])).toEqual([
      expect.stringMatching(/^WB4010 things.yaml:7:17: found a result of type string, expected int/),
    ]);
    expect(foundInSource(['id: id', 'seats: {expr: 1 + seets}'])).toEqual([
      expect.stringMatching(/^WB4011 things.yaml:7:21: found column "seets".*nearest: seats$/),
    ]);
    expect(foundInSource(['id: id'], ['filter: seats + 1'])).toEqual([
      expect.stringMatching(/^WB4010 things.yaml:7:9: found a result of type int, expected bool/),
    ]);
  });
});

describe('the source table', () => {
  it('accepts what fits', () => {
    expect(foundInSource(['id: id', 'email: email', 'amount: amount', 'at: at', 'seats: seats'])).toEqual([]);
  });

  it('names the nearest column', () => {
    expect(
      foundInSource(['id: id', 'email: emial', 'seats: {from: [seatz, total], transform: {concat: ""}}']),
    ).toEqual([
      expect.stringMatching(/^WB4011 things.yaml:7:10: .*nearest: email$/),
      expect.stringMatching(/^WB4011 things.yaml:8:17: .*nearest: seats$/),
    ]);
  });

  it('refuses types that cannot become the field', () => {
    expect(foundInSource(['id: id', 'seats: email'])).toEqual([
      expect.stringMatching(/^WB4006 things.yaml:7:10: found varchar for "seats", expected int/),
    ]);
    expect(foundInSource(['id: id', 'seats: total'])).toEqual([
      expect.stringMatching(/^WB4006 things.yaml:7:10: found int8 for "seats"/),
    ]);
    expect(foundInSource(['id: id', 'seats: {from: email, transform: {cast: int4}}'])).toEqual([]);
    expect(foundInSource(['id: id', 'note: {from: seats, transform: trim}'])).toEqual([
      expect.stringMatching(/^WB4009 things.yaml:7:34: found trim of int4/),
    ]);
  });

  it('warns of columns narrower than the source', () => {
    expect(foundInSource(['id: id', 'email: {target: nvarchar(100)}'])).toEqual([
      expect.stringMatching(/^WB4007 things.yaml:7:19: found nvarchar\(100\) for varchar\(254\)/),
    ]);
  });

  it('refuses several inputs of which one may be TOASTed, unless the identity is full', () => {
    const fields = [
      'id: id',
      'note: {from: [first, last], transform: {concat: " "}}',
      'email: {expr: first + email}',
    ];
    expect(foundInSource(fields)).toEqual([
      expect.stringMatching(/^WB4012 things.yaml:7:3: .*may leave out first, last.*REPLICA IDENTITY FULL/),
      expect.stringMatching(/^WB4012 things.yaml:8:3:/),
    ]);
    expect(
      foundInSource(fields, [], {
        ...things,
        replicaIdentity: 'full',
        replicaIdentityColumns: things.columns.map(({ name }) => name),
      }),
    ).toEqual([]);
    expect(foundInSource(['id: id', 'seats: {expr: "seats + (amount > decimal(0) ? 1 : 0)"}'])).toEqual([]);
    expect(foundInSource(['id: id', 'note: first'], ['filter: seats > 1'])).toEqual([
      expect.stringMatching(/^WB4012 things.yaml:8:9: found a filter/),
    ]);
  });

  it('wants a key that identifies rows and that a DELETE carries', () => {
    const nothing = { ...things, replicaIdentity: 'nothing' as const, replicaIdentityColumns: null };
    expect(foundInSource(['id: id'], [], nothing)).toEqual([
      expect.stringMatching(/^WB4008 things.yaml:2:9:/),
    ]);
    const other = { ...things, primaryKey: ['total'], replicaIdentityColumns: ['total'] };
    expect(foundInSource(['id: id'], [], other)).toEqual([
      expect.stringMatching(
        /^WB4008 things.yaml:2:37: found a key made of id, which a DELETE does not carry/,
      ),
    ]);
    const wider = { ...things, primaryKey: ['id', 'total'], replicaIdentityColumns: ['id', 'total'] };
    expect(foundInSource(['id: id'], [], wider)).toEqual([
      expect.stringMatching(
        /^WB4008 things.yaml:2:37: found key \(id\), which may not be unique, expected all columns of \(id, total\)/,
      ),
    ]);
  });
});

describe('several mappings', () => {
  it('refuses one entity name and one target for two', () => {
    const text = mappingText(['id: id']);
    const { findings } = parseMappings(
      [
        { path: 'a.yaml', text },
        { path: 'b.yaml', text },
        {
          path: 'c.yaml',
          text: text.replace('entity: things', 'entity: others').replace('crm.things', 'CRM.Things'),
        },
      ],
      [schema],
    );
    expect(findings.map(formatMappingFinding)).toEqual([
      expect.stringMatching(/^WB4013 b.yaml:1:9: .*entity "things".*a.yaml has it/),
      expect.stringMatching(/^WB4013 b.yaml:4:9: .*target crm.things.*a.yaml fills it/),
      expect.stringMatching(/^WB4013 c.yaml:4:9: .*a.yaml fills it/),
    ]);
  });

  it('compiles the good ones beside the bad', () => {
    const { mappings } = parseMappings(
      [
        { path: 'a.yaml', text: mappingText(['id: id']) },
        { path: 'b.yaml', text: 'entity: 5' },
      ],
      [schema],
    );
    expect(mappings.map(({ entity }) => entity)).toEqual(['things']);
  });

  it('throws one error with all findings where a single mapping is compiled', () => {
    const { mappings } = parseMappings([{ path: 'a.yaml', text: mappingText(['id: id']) }], [schema]);
    const { document } = mappings[0]!;
    expect(compileMapping(document, schema).target.key).toEqual(['id']);
    expect(() => compileMapping(document, schemaOf({ other: 'long' }))).toThrow(/WB4000 .*WB4004 .*WB4005 /);
  });
});
