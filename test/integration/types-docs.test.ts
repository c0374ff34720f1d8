// docs/types.md against the code: every line of its table is what `generate` writes for a column of that type in a live
// database, and every code in it is proven by a case of types-end-to-end.test.ts.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, inject, it } from 'vitest';
import { createQueue } from '../../sandbox/address.ts';
import { withClient } from '../../sandbox/crm/crm.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import { describeType } from '../../src/canonical/schema.ts';
import { describeTables } from '../../src/capture/describe-tables.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { formatSqlType } from '../../src/mapping/default-type.ts';
import { generateMapping } from '../../src/mapping/generate.ts';
import { columns, preamble } from './types-columns.ts';

const text = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8');
const lines = [...text.matchAll(/^\| `([^`]+)`[^|]*\| `([^`]+)` \| `([^`]+)` \|([^|]*)\|$/gm)].map(
  ([, source = '', avro = '', target = '', quarantine = '']) => ({ source, avro, target, quarantine }),
);

describe('docs/types.md', () => {
  it('says what generate does', async () => {
    const url = await createQueue(inject('sandbox'), `types_docs_${randomBytes(4).toString('hex')}`);
    const [table] = await withClient(url, async (client) => {
      const declared = lines.map(({ source }, index) => `c${index} ${source}`);
      await client.query(`${preamble}\nCREATE TABLE t (id int PRIMARY KEY, ${declared.join(', ')});`);
      return describeTables(client, [{ schema: 'public', table: 't' }]);
    });
    const generated = generateMapping(table!);
    const { registry } = buildRegistry([{ path: generated.schemaPath, text: generated.schemaText }]);
    const schemas = registry.names.flatMap((name) => registry.versions(name));
    const { mappings } = parseMappings(
      [{ path: generated.mappingPath, text: generated.mappingText }],
      schemas,
    );
    const found = lines.map(({ source, quarantine }, index) => {
      const { type } = schemas[0]!.fields.find(({ name }) => name === `c${index}`)!;
      const column = mappings[0]!.target.columns.find(({ name }) => name === `c${index}`)!;
      const avro = type.kind === 'enum' ? 'enum' : describeType(type);
      return { source, avro, target: formatSqlType(column.type), quarantine };
    });
    expect(lines.length).toBeGreaterThan(30);
    expect(found).toEqual(lines);
  });

  it('names codes that are proven', () => {
    const proven = new Set(
      Object.values(columns).flatMap(({ cases }) =>
        cases.flatMap((one) => (typeof one === 'string' ? [] : (one.code ?? []))),
      ),
    );
    const named = lines.flatMap(({ quarantine }) => quarantine.match(/WB\d{4}/g) ?? []);
    expect([...new Set(named)].filter((code) => !proven.has(code))).toEqual([]);
    expect([...proven].filter((code) => !named.includes(code))).toEqual([]);
  });
});
