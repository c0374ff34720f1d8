// Mappings held against each other.
// Guarantees: no two mappings of a set share an entity name or a target table.
import type { CompiledMapping } from './compiled-mapping.ts';
import { codes, FindingList, type MappingFinding } from './finding.ts';

export function checkTogether(mappings: readonly CompiledMapping[]): readonly MappingFinding[] {
  const findings: MappingFinding[] = [];
  const entities = new Map<string, CompiledMapping>();
  const targets = new Map<string, CompiledMapping>();
  for (const mapping of mappings) {
    const { document, entity, target } = mapping;
    const list = new FindingList(document.file);
    const sameEntity = entities.get(entity);
    if (sameEntity !== undefined) {
      const expected = `a name of its own: ${sameEntity.document.file} has it`;
      list.error(codes.duplicate, document.yaml.valueAt(['entity']), `entity "${entity}"`, expected);
    }
    // As the warehouse's default collation compares names.
    const table = `${target.schema}.${target.table}`.toLowerCase();
    const sameTarget = targets.get(table);
    if (sameTarget !== undefined) {
      const expected = `a table of its own: ${sameTarget.document.file} fills it`;
      list.error(codes.duplicate, document.yaml.valueAt(['target']), `target ${table}`, expected);
    }
    entities.set(entity, sameEntity ?? mapping);
    targets.set(table, sameTarget ?? mapping);
    findings.push(...list.found);
  }
  return findings;
}
