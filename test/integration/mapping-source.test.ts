// The shipped and the generated mappings, held against the live catalogue of the sandbox's CRM.
import { readFileSync } from 'node:fs';
import { expect, inject, test } from 'vitest';
import { createCrm } from '../../sandbox/address.ts';
import { crmTables, withClient } from '../../sandbox/crm/crm.ts';
import { buildRegistry } from '../../src/canonical/registry.ts';
import { readSchemaFolder } from '../../src/canonical/schema-folder.ts';
import { describeTables } from '../../src/capture/describe-tables.ts';
import { checkSource } from '../../src/mapping/check-source.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { formatMappingFinding } from '../../src/mapping/finding.ts';
import { generateMapping } from '../../src/mapping/generate.ts';

const folder = (name: string) => new URL(`../../${name}/`, import.meta.url);

test('neither has a finding, for any table of the CRM', async () => {
  const url = await createCrm(inject('sandbox'), 'mapping_source');
  const tables = await withClient(url, (client) =>
    describeTables(
      client,
      crmTables.map((table) => ({ schema: 'public', table })),
    ),
  );
  expect(tables).toHaveLength(crmTables.length);

  const { registry } = buildRegistry(await readSchemaFolder(folder('schemas').pathname));
  const files = [...crmTables.map((table) => `${table}.yaml`), 'lookups/activity-kinds.yaml'];
  const shipped = parseMappings(
    files.map((path) => ({ path, text: readFileSync(new URL(path, folder('mappings')), 'utf8') })),
    registry.names.flatMap((name) => registry.versions(name)),
  );
  const generated = tables.map((table) => generateMapping(table, { referred: tables }));
  const made = buildRegistry(
    generated.map(({ schemaPath, schemaText }) => ({ path: schemaPath, text: schemaText })),
  );
  expect(made.findings).toEqual([]);
  const fresh = parseMappings(
    generated.map(({ mappingPath, mappingText }) => ({ path: mappingPath, text: mappingText })),
    made.registry.names.flatMap((name) => made.registry.versions(name)),
  );
  for (const { mappings, findings } of [shipped, fresh]) {
    expect(mappings).toHaveLength(crmTables.length);
    const inSource = mappings.flatMap((mapping) =>
      checkSource(mapping, tables.find(({ table }) => table === mapping.source.table)!),
    );
    expect([...findings, ...inSource].map(formatMappingFinding)).toEqual([]);
  }
});
