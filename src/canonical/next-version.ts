// Which version a record's schema gets where others of it are there already: those may be named by queued events, and stay.
// Guarantees: pure; higher than every one that is there; a minor one only where it reads all of them and has every field of the last.
import { isDeepStrictEqual } from 'node:util';
import { checkCompatibility } from './compatibility.ts';
import { nameOf, type RecordSchema, type SchemaVersion } from './schema.ts';

export interface NextVersion {
  readonly version: SchemaVersion;
  /** Why it is a major one: what it cannot read, or has no more. */
  readonly breaks: readonly string[];
}

/** `versions`: oldest first. Null where the newest says the same; docs and the order of fields are not looked at. */
export function nextVersion(versions: readonly RecordSchema[], wanted: RecordSchema): NextVersion | null {
  const newest = versions.at(-1);
  if (newest === undefined) return { version: wanted.version, breaks: [] };
  if (isDeepStrictEqual(inOrder(newest), inOrder(wanted))) return null;
  const { major, minor } = newest.version;
  const asMinor = { ...wanted, version: { major, minor: minor + 1, patch: 0 } };
  const name = nameOf(asMinor);
  const unreadable = checkCompatibility('BACKWARD_TRANSITIVE', [...versions, asMinor])
    .filter(({ reader }) => reader === name)
    .map(({ writer, path, what, why }) => `${writer}: ${path}: ${what}: ${why}`);
  const gone = newest.fields
    .filter((field) => !wanted.fields.some((other) => other.name === field.name))
    .map((field) => `${nameOf(newest)}: fields.${field.name}: it is gone`);
  const breaks = [...unreadable, ...gone];
  return {
    version: breaks.length === 0 ? asMinor.version : { major: major + 1, minor: 0, patch: 0 },
    breaks,
  };
}

function inOrder({ fields }: RecordSchema): RecordSchema['fields'] {
  return [...fields].sort((a, b) => (a.name < b.name ? -1 : 1));
}
