// Reads the folders of schemas and mappings and compiles them together.
// Guarantees: every finding of every file at once; with an error among them nothing is used.
import { formatFinding } from '../canonical/finding.ts';
import { EventReaders } from '../canonical/record-reader.ts';
import { buildRegistry, type SchemaRegistry } from '../canonical/registry.ts';
import { readSchemaFolder } from '../canonical/schema-folder.ts';
import type { Settings } from '../config/settings.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { type MappingFile, parseMappings } from '../mapping/compile.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { formatMappingFinding } from '../mapping/finding.ts';
import { readTextFolder } from '../text/text-folder.ts';

export interface LoadedMappings {
  readonly registry: SchemaRegistry;
  readonly mappings: readonly CompiledMapping[];
  /** Names of the lanes that the mappings use, sorted. */
  readonly lanes: readonly string[];
}

export interface MappingReport extends LoadedMappings {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** Everything with its findings. Throws WB3000 or WB7001 where a folder can't be read. */
export async function inspectMappings(
  settings: Pick<Settings, 'schemas' | 'mappings'>,
): Promise<MappingReport> {
  const [schemaFiles, mappingFiles] = await Promise.all([
    readSchemaFolder(settings.schemas),
    readMappingFolder(settings.mappings),
  ]);
  const { registry, findings: schemaFindings } = buildRegistry(schemaFiles);
  const schemas = registry.names.flatMap((name) => registry.versions(name));
  const { mappings, findings } = parseMappings(mappingFiles, schemas);
  const bySeverity = (severity: 'error' | 'warning') =>
    findings.filter((finding) => finding.severity === severity).map(formatMappingFinding);
  const errors = [...schemaFindings.map(formatFinding), ...bySeverity('error')];
  if (mappings.length === 0 && errors.length === 0) {
    errors.push(`WB7002 ${settings.mappings}: found no mapping, expected at least one .yaml file`);
  }
  const lanes = [...new Set(mappings.map((mapping) => mapping.lane))].sort();
  return { registry, mappings, lanes, errors, warnings: bySeverity('warning') };
}

/** Throws WB7002 with every error where there is one. */
export async function loadMappings(
  settings: Pick<Settings, 'schemas' | 'mappings'>,
): Promise<LoadedMappings> {
  const report = await inspectMappings(settings);
  if (report.errors.length === 0) return report;
  throw new WalbridgeError({
    code: 'WB7002',
    kind: 'permanent',
    what: `The mappings cannot be used:\n${report.errors.join('\n')}\n`,
    safe: 'Nothing was started with them.',
    next: 'Mend them; `walbridge check` lists every finding.',
  });
}

/** Readers that bring any event to the schema version which its mapping names. */
export function eventReaders({ registry, mappings }: LoadedMappings): EventReaders {
  return new EventReaders(registry, new Map(mappings.map((mapping) => [mapping.entity, mapping.schema])));
}

async function readMappingFolder(folder: string): Promise<MappingFile[]> {
  try {
    return await readTextFolder(folder, /\.ya?ml$/);
  } catch (error) {
    throw new WalbridgeError(
      {
        code: 'WB7001',
        kind: 'permanent',
        what: `The mapping folder ${folder} could not be read (${(error as { code?: string }).code}).`,
        safe: 'Nothing was started.',
        next: 'Make it (`walbridge generate` does), set mappings in the configuration, or give walbridge the right to read it.',
      },
      { cause: error },
    );
  }
}
