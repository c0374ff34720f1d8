// All schema versions of all canonical records, by name and by fingerprint.
// Guarantees: a fingerprint means one thing only. Logical types are not part of it, so two versions that differ in nothing
// else share one; that is accepted where values read the same under both (docs, defaults, decimal precision), else refused.
import { WalbridgeError } from '../fault/fault.ts';
import { nearestName } from '../text/nearest-name.ts';
import type { SchemaFinding } from './finding.ts';
import { formatFingerprint } from './fingerprint.ts';
import { compareVersions, type FieldType, formatVersion, parseVersion, type RecordSchema } from './schema.ts';
import { parseSchemaFile, type SchemaFile } from './schema-parse.ts';

export class SchemaRegistry {
  readonly #records = new Map<string, RecordSchema[]>();
  readonly #byFingerprint = new Map<bigint, RecordSchema>();

  /** Use `buildRegistry`, which holds the schemas against each other first. */
  constructor(schemas: readonly RecordSchema[]) {
    const oldestFirst = [...schemas].sort((a, b) => compareVersions(a.version, b.version));
    for (const schema of oldestFirst) {
      const versions = this.#records.get(schema.fullName);
      if (versions === undefined) this.#records.set(schema.fullName, [schema]);
      else versions.push(schema);
      this.#byFingerprint.set(schema.fingerprint, schema);
    }
  }

  /** Full names of all records, sorted. */
  get names(): string[] {
    return [...this.#records.keys()].sort();
  }

  /** A record's versions, oldest first; empty for an unknown one. */
  versions(fullName: string): readonly RecordSchema[] {
    return this.#records.get(fullName) ?? [];
  }

  /** The named version (`1.2.0`), or the newest; null where there is none. */
  find(fullName: string, version?: string): RecordSchema | null {
    const versions = this.versions(fullName);
    if (version === undefined) return versions.at(-1) ?? null;
    return versions.find((schema) => formatVersion(schema.version) === version) ?? null;
  }

  /** As `find`; throws WB3020 with the nearest name or version where there is none. */
  require(fullName: string, version?: string): RecordSchema {
    const found = this.find(fullName, version);
    if (found !== null) return found;
    const versions = this.versions(fullName).map((schema) => formatVersion(schema.version));
    const wanted = versions.length === 0 ? fullName : `${fullName} ${version}`;
    const nearest =
      versions.length === 0 ? nearestName(fullName, this.names) : `${fullName} ${versions.join(', ')}`;
    throw new WalbridgeError({
      code: 'WB3020',
      kind: 'permanent',
      what: `There is no schema ${wanted}.${nearest === null ? '' : ` There is ${nearest}.`}`,
      safe: 'Nothing was read or written.',
      next: 'Name an existing schema in the mapping or add its .avsc file.',
    });
  }

  /** The newest version that writes under this fingerprint, or null. */
  byFingerprint(fingerprint: bigint): RecordSchema | null {
    return this.#byFingerprint.get(fingerprint) ?? null;
  }
}

/** All files' schemas and all findings about them; the registry holds those without one. */
export function buildRegistry(files: readonly SchemaFile[]): {
  readonly registry: SchemaRegistry;
  readonly findings: readonly SchemaFinding[];
} {
  const findings: SchemaFinding[] = [];
  const accepted: RecordSchema[] = [];
  const byFingerprint = new Map<bigint, RecordSchema[]>();
  const inOrder = [...files].sort((a, b) => compareFiles(a.path, b.path));
  for (const file of inOrder) {
    const schema = parseSchemaFile(file, findings);
    if (schema === null) continue;
    const peers = byFingerprint.get(schema.fingerprint) ?? [];
    const clash = peers.map((peer) => clashOf(schema, peer)).find((found) => found !== null);
    if (clash === undefined || clash === null) {
      byFingerprint.set(schema.fingerprint, [...peers, schema]);
      accepted.push(schema);
    } else {
      findings.push({ code: 'WB3008', file: file.path, nearest: null, ...clash });
    }
  }
  return { registry: new SchemaRegistry(accepted), findings };
}

/** Why two schemas of one fingerprint must not stand side by side; null where they may. */
function clashOf(
  schema: RecordSchema,
  peer: RecordSchema,
): Pick<SchemaFinding, 'path' | 'found' | 'expected'> | null {
  const older = `${peer.fullName} ${formatVersion(peer.version)}`;
  const fingerprint = formatFingerprint(schema.fingerprint);
  if (schema.text === peer.text) {
    return { path: '', found: `the same text as ${older}`, expected: 'a version that changes something' };
  }
  for (const [index, field] of schema.fields.entries()) {
    const other = peer.fields[index];
    if (other === undefined || meansTheSame(field.type, other.type)) continue;
    return {
      path: `fields.${field.name}.type`,
      found: `the logical type alone changed since ${older}, and both have the fingerprint ${fingerprint}`,
      expected: 'a field of another name, for a queued event could not tell the two types apart',
    };
  }
  return null;
}

/** Precision bounds values; it doesn't change what the bytes mean. */
function meansTheSame(a: FieldType, b: FieldType): boolean {
  if (a.kind === 'decimal' && b.kind === 'decimal') return a.scale === b.scale;
  return a.kind === b.kind;
}

/** Folder by folder, versions by number, so that a finding falls on the newer of two files. */
function compareFiles(a: string, b: string): number {
  const versionA = parseVersion(a.slice(a.lastIndexOf('/') + 1).replace(/\.avsc$/, ''));
  const versionB = parseVersion(b.slice(b.lastIndexOf('/') + 1).replace(/\.avsc$/, ''));
  if (versionA !== null && versionB !== null) {
    const order = compareVersions(versionA, versionB);
    if (order !== 0) return order;
  }
  return a < b ? -1 : 1;
}
