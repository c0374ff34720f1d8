// What is shipped beside the code: the CRM's mappings, the editors' JSON Schema, the examples of docs/mappings.md.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { buildRegistry } from '../../src/canonical/registry.ts';
import { parseMappings } from '../../src/mapping/compile.ts';
import { parseMapping } from '../../src/mapping/document.ts';
import { mappingJsonSchema } from '../../src/mapping/document-schema.ts';
import { parseExpression } from '../../src/mapping/expression.ts';
import { formatMappingFinding } from '../../src/mapping/finding.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

function filesBelow(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(join(root, folder), path), text: readFileSync(path, 'utf8') }));
}

describe('the shipped mappings', () => {
  const { registry, findings } = buildRegistry(filesBelow('schemas'));
  const schemas = registry.names.flatMap((name) => registry.versions(name));
  const files = filesBelow('mappings');

  it('compile without a finding, one for each table of the CRM', () => {
    expect(findings).toEqual([]);
    const set = parseMappings(files, schemas);
    expect(set.findings.map(formatMappingFinding)).toEqual([]);
    expect(set.mappings.map(({ entity }) => entity).sort()).toEqual([
      'accounts',
      'activities',
      'contacts',
      'leads',
      'opportunities',
      'opportunity_contacts',
    ]);
  });

  it('tell editors their schema', () => {
    for (const { path, text } of files) {
      if (!/^[^/]+\.yaml$/.test(path)) continue;
      expect(text.split('\n')[0], path).toBe('# yaml-language-server: $schema=./mapping.schema.json');
    }
  });

  it('have a current JSON Schema beside them (vitest --update renews it)', async () => {
    await expect(mappingJsonSchema()).toMatchFileSnapshot(join(root, 'mappings/mapping.schema.json'));
  });

  it('show a record with two versions', () => {
    expect(registry.versions('crm.contact').map(({ version }) => version.minor)).toEqual([0, 1]);
  });
});

describe('the examples of docs/mappings.md', () => {
  const text = readFileSync(join(root, 'docs/mappings.md'), 'utf8');
  const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '');

  it('are there', () => {
    expect(blocks.length).toBeGreaterThan(5);
  });

  it.each(blocks)('%s', (block) => {
    const rest = 'entity: a\nsource: {table: public.a, key: id}\nrecord: crm.a@1.0.0\ntarget: crm.a\n';
    const parsed = parseMapping('docs.yaml', block.startsWith('fields:') ? rest + block : block);
    expect(parsed.findings.map(formatMappingFinding)).toEqual([]);
    expect(parsed.document?.fields.length).toBeGreaterThan(0);
    const expressions = [parsed.document?.filter, ...(parsed.document?.fields.map(({ expr }) => expr) ?? [])];
    for (const expression of expressions) {
      if (typeof expression === 'string') expect(parseExpression(expression)).not.toHaveProperty('problem');
    }
  });
});
