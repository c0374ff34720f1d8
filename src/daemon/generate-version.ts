// The version that `generate --force` gives a record whose schemas are there already: the next one, or none where nothing changed.
// Guarantees: no schema file is overwritten; what is written can stand beside those that are there.
import { formatFinding, type SchemaFinding } from '../canonical/finding.ts';
import { nextVersion } from '../canonical/next-version.ts';
import { buildRegistry } from '../canonical/registry.ts';
import { formatVersion } from '../canonical/schema.ts';
import { readSchemaFolder } from '../canonical/schema-folder.ts';
import type { SchemaFile } from '../canonical/schema-parse.ts';
import { WalbridgeError } from '../fault/fault.ts';

export interface GivenVersion {
  readonly version: string;
  /** Its file is still to be written. */
  readonly isNew: boolean;
  /** Where an earlier one is followed: what the new one is to it. */
  readonly note: string | null;
}

/** None where there is no folder. Throws WB3000 where it can't be read. */
export async function knownSchemas(folder: string): Promise<SchemaFile[]> {
  return readSchemaFolder(folder).catch((error: WalbridgeError) => {
    if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return [];
    throw error;
  });
}

/** `generated`: `<namespace>/<record>/1.0.0.avsc`. Throws WB8004 where one that is there is wrong, or the two cannot be told apart. */
export function giveVersion(known: readonly SchemaFile[], generated: SchemaFile): GivenVersion {
  const folder = generated.path.slice(0, generated.path.lastIndexOf('/') + 1);
  const siblings = known.filter(({ path }) => path.startsWith(folder));
  if (siblings.length === 0) return { version: '1.0.0', isNew: true, note: null };
  const { registry, findings } = buildRegistry(siblings);
  const own = buildRegistry([generated]);
  const wanted = own.registry.find(own.registry.names[0] ?? '');
  if (findings.length > 0) throw notBeside(findings);
  if (wanted === null) throw notBeside(own.findings);
  const versions = registry.versions(wanted.fullName);
  const before = formatVersion((versions.at(-1) ?? wanted).version);
  const next = nextVersion(versions, wanted);
  if (next === null) return { version: before, isNew: false, note: null };
  const version = formatVersion(next.version);
  const beside = buildRegistry([...siblings, { path: `${folder}${version}.avsc`, text: generated.text }]);
  if (beside.findings.length > 0) throw notBeside(beside.findings);
  const how =
    next.breaks.length === 0
      ? `compatible with ${before}`
      : `a major version: it breaks with\n${next.breaks.map((one) => `    ${one}`).join('\n')}`;
  return { version, isNew: true, note: `${wanted.fullName} ${version} is ${how}` };
}

function notBeside(findings: readonly SchemaFinding[]): WalbridgeError {
  return new WalbridgeError({
    code: 'WB8004',
    kind: 'permanent',
    what: `There can be no next version of a schema:\n${findings.map(formatFinding).join('\n')}\n`,
    safe: 'Nothing was written.',
    next: 'Mend the file by hand, or give the field another name in schema and mapping. A version that no event was ever written with may be deleted.',
  });
}
