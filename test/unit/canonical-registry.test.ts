// The schema registry: fingerprints against the specification's vectors, findings, compatibility between versions.
import avsc from 'avsc';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkCompatibility, incompatibilities } from '../../src/canonical/compatibility.ts';
import { formatFinding } from '../../src/canonical/finding.ts';
import { crc64Avro } from '../../src/canonical/fingerprint.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import type { RecordSchema } from '../../src/canonical/schema.ts';
import { parsingCanonicalForm } from '../../src/canonical/schema-parse.ts';

const decimal = (precision: number, scale: number) => ({
  type: 'bytes',
  logicalType: 'decimal',
  precision,
  scale,
});

function file(version: string, fields: unknown, more: object = {}) {
  const text = JSON.stringify({ type: 'record', name: 'Deal', namespace: 'crm', fields, ...more });
  return { path: `crm/Deal/${version}.avsc`, text };
}

function schema(fields: unknown, version = '1.0.0'): RecordSchema {
  const { registry, findings } = buildRegistry([file(version, fields)]);
  expect(findings).toEqual([]);
  return registry.require('crm.Deal');
}

/** Codes and paths of what is wrong with one version of a record. */
function found(fields: unknown, more: object = {}) {
  return buildRegistry([file('1.0.0', fields, more)]).findings.map(({ code, path }) => `${code} ${path}`);
}

describe('the fingerprint', () => {
  // Fingerprints of share/test/data/schema-tests.txt in apache/avro.
  it.each([
    ['"null"', 7195948357588979594n],
    ['{"type":"boolean"}', -6970731678124411036n],
    ['"int"', 8247732601305521295n],
    ['"long"', -3434872931120570953n],
    ['"float"', 5583340709985441680n],
    ['"double"', -8181574048448539266n],
    ['"bytes"', 5746618253357095269n],
    ['"string"', -8142146995180207161n],
    ['["int",{"type":"boolean"}]', 5392556393470105090n],
    ['{"fields":[],"type":"record","name":"foo","namespace":"x.y","doc":"d"}', 5916914534497305771n],
    [
      '{"fields":[{"type":"boolean","aliases":[],"name":"f1","default":true},{"order":"descending","name":"f2","doc":"Hello","type":"int"}],"type":"record","name":"foo"}',
      -4860222112080293046n,
    ],
    [
      '{"namespace":"x.y.z","type":"enum","name":"foo","doc":"foo bar","symbols":["A1","A2"]}',
      -4448647247586288245n,
    ],
  ])("of %s is the specification's", (text, expected) => {
    expect(BigInt.asIntN(64, crc64Avro(parsingCanonicalForm(JSON.parse(text))))).toBe(expected);
  });

  it('leaves out logical types, docs and defaults', () => {
    const plain = schema([{ name: 'at', type: 'long' }]);
    const logical = schema([
      { name: 'at', doc: 'd', default: 0, type: { type: 'long', logicalType: 'timestamp-micros' } },
    ]);
    expect(logical.fingerprint).toBe(plain.fingerprint);
  });
});

describe('a schema file', () => {
  it('must agree with its folder, its file name and JSON', () => {
    const files = [
      { path: 'crm/Deal/one.avsc', text: '{"type":"record",\n "name": }' },
      file('1.0.0', [{ name: 'id', type: 'int' }], { name: 'Deel', namespace: 'sales' }),
    ];
    const findings = buildRegistry(files).findings;
    expect(findings.map(({ code, path }) => `${code} ${path}`).sort()).toEqual([
      'WB3001 ',
      'WB3002 line 2, column 11',
      'WB3003 name',
      'WB3003 namespace',
    ]);
    expect(findings.map(formatFinding).join()).toContain(
      'found "Deel", expected "Deal", as its folder is named',
    );
  });

  it.each([
    ['an unknown type', [{ name: 'a', type: 'strnig' }], 'WB3005 fields.a.type'],
    ['a wide union', [{ name: 'a', type: ['null', 'int', 'string'] }], 'WB3005 fields.a.type'],
    [
      'a nested record',
      [{ name: 'a', type: { type: 'record', name: 'B', fields: [] } }],
      'WB3005 fields.a.type',
    ],
    [
      'an unknown logical type',
      [{ name: 'a', type: { type: 'int', logicalType: 'dat' } }],
      'WB3006 fields.a.type.logicalType',
    ],
    [
      'a logical type over another base',
      [{ name: 'a', type: { type: 'string', logicalType: 'date' } }],
      'WB3006 fields.a.type.logicalType',
    ],
    ['a decimal wider than 38', [{ name: 'a', type: decimal(39, 2) }], 'WB3006 fields.a.type.precision'],
    ['a scale beyond the precision', [{ name: 'a', type: decimal(3, 4) }], 'WB3006 fields.a.type.scale'],
    ['a default of another type', [{ name: 'a', type: 'int', default: 'x' }], 'WB3007 fields.a.default'],
    [
      'a default of the second branch',
      [{ name: 'a', type: ['null', 'int'], default: 1 }],
      'WB3007 fields.a.default',
    ],
    ['no fields', [], 'WB3004 fields'],
    [
      'a name twice',
      [
        { name: 'a', type: 'int' },
        { name: 'a', type: 'int' },
      ],
      'WB3004 fields.a',
    ],
    [
      'an enum default that is no symbol',
      [{ name: 'a', type: { type: 'enum', name: 'E', symbols: ['X'], default: 'Y' } }],
      'WB3004 fields.a.type.default',
    ],
  ])('with %s is refused', (_, fields, expected) => {
    expect(found(fields)).toEqual([expected]);
  });

  it('names the nearest type', () => {
    const [finding] = buildRegistry([file('1.0.0', [{ name: 'a', type: 'strnig' }])]).findings;
    expect(finding?.nearest).toBe('string');
  });

  it('reads defaults of bytes and decimals from their code points', () => {
    const { fields } = schema([
      { name: 'a', type: decimal(6, 2), default: '\u00ff\u0000' },
      { name: 'b', type: 'bytes', default: '\u00ff' },
      { name: 'c', type: ['null', 'string'], default: null },
    ]);
    expect(fields.map(({ fallback }) => fallback)).toEqual(['-2.56', Buffer.from([255]), null]);
  });
});

describe('versions of one fingerprint', () => {
  const version = (number: string, type: unknown) => file(number, [{ name: 'a', type }]);

  it('are refused where values would read differently', () => {
    const { findings, registry } = buildRegistry([
      version('1.0.0', decimal(9, 2)),
      version('1.1.0', decimal(9, 3)),
    ]);
    expect(findings).toMatchObject([{ code: 'WB3008', file: 'crm/Deal/1.1.0.avsc', path: 'fields.a.type' }]);
    expect(registry.versions('crm.Deal')).toHaveLength(1);
  });

  it('are refused where nothing differs', () => {
    const { findings } = buildRegistry([version('1.0.0', 'int'), version('1.0.1', 'int')]);
    expect(findings).toMatchObject([{ code: 'WB3008', file: 'crm/Deal/1.0.1.avsc' }]);
  });

  it('stand side by side where the precision alone grew', () => {
    const { findings, registry } = buildRegistry([
      version('1.10.0', decimal(12, 2)),
      version('1.9.0', decimal(9, 2)),
    ]);
    expect(findings).toEqual([]);
    const newest = registry.require('crm.Deal');
    expect(newest.version).toEqual({ major: 1, minor: 10, patch: 0 });
    expect(registry.byFingerprint(newest.fingerprint)).toBe(newest);
    expect(() => registry.require('crm.Deel')).toThrow(/WB3020.*There is crm\.Deal/);
  });
});

describe('compatibility', () => {
  const int = schema([{ name: 'a', type: 'int' }]);
  const long = schema([{ name: 'a', type: 'long' }], '1.1.0');

  it('follows the mode', () => {
    expect(checkCompatibility('BACKWARD', [int, long])).toEqual([]);
    expect(checkCompatibility('FORWARD', [int, long])).toMatchObject([
      { reader: 'crm.Deal 1.0.0', writer: 'crm.Deal 1.1.0', path: 'fields.a.type', what: 'long read as int' },
    ]);
    expect(checkCompatibility('FULL', [int, long])).toHaveLength(1);
    expect(checkCompatibility('NONE', [long, int])).toEqual([]);
  });

  it('looks at all earlier versions where it is transitive', () => {
    const without = schema([{ name: 'b', type: 'int', default: 0 }], '1.1.0');
    const again = schema(
      [
        { name: 'b', type: 'int' },
        { name: 'a', type: 'long', default: 0 },
      ],
      '1.2.0',
    );
    expect(checkCompatibility('BACKWARD', [int, without, again])).toEqual([]);
    expect(checkCompatibility('BACKWARD_TRANSITIVE', [int, without, again])).toMatchObject([
      { reader: 'crm.Deal 1.2.0', writer: 'crm.Deal 1.0.0', path: 'fields.b' },
    ]);
  });

  it.each([
    ['a scale change', decimal(9, 2), decimal(9, 3), false],
    ['precision growth', decimal(9, 2), decimal(12, 2), true],
    ['precision loss', decimal(12, 2), decimal(9, 2), false],
    ['null let in', 'int', ['null', 'int'], true],
    ['null shut out', ['null', 'int'], 'int', false],
    ['a long as double, which rounds', 'long', 'double', false],
    ['a date as int, which loses the meaning', { type: 'int', logicalType: 'date' }, 'int', false],
    [
      'a zone added',
      { type: 'long', logicalType: 'local-timestamp-micros' },
      { type: 'long', logicalType: 'timestamp-micros' },
      false,
    ],
    [
      'a symbol more',
      { type: 'enum', name: 'E', symbols: ['X'] },
      { type: 'enum', name: 'E', symbols: ['X', 'Y'] },
      true,
    ],
    [
      'a symbol fewer',
      { type: 'enum', name: 'E', symbols: ['X', 'Y'] },
      { type: 'enum', name: 'E', symbols: ['X'] },
      false,
    ],
    [
      'a symbol fewer with a default',
      { type: 'enum', name: 'E', symbols: ['X', 'Y'] },
      { type: 'enum', name: 'E', symbols: ['X'], default: 'X' },
      true,
    ],
  ])('judges %s', (_, older, newer, compatible) => {
    const problems = incompatibilities(
      schema([{ name: 'a', type: newer }]),
      schema([{ name: 'a', type: older }]),
    );
    expect(problems.length === 0).toBe(compatible);
  });

  it('is never laxer than avsc for schemas without logical types', () => {
    const type = fc.oneof(
      fc.constantFrom('boolean', 'int', 'long', 'float', 'double', 'string', 'bytes'),
      fc.constantFrom('int', 'string', 'double').map((name) => ['null', name]),
    );
    const fields = fc.uniqueArray(fc.record({ name: fc.constantFrom('a', 'b', 'c'), type }), {
      minLength: 1,
      selector: ({ name }) => name,
    });
    fc.assert(
      fc.property(fields, fields, (older, newer) => {
        const reader = schema(newer);
        const writer = schema(older);
        if (incompatibilities(reader, writer).length > 0) return;
        const [readerType, writerType] = [reader, writer].map(({ text }) =>
          avsc.Type.forSchema(JSON.parse(text)),
        );
        expect(() => readerType?.createResolver(writerType as avsc.Type)).not.toThrow();
      }),
    );
  });
});
