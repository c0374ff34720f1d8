// From an .avsc file's text to a parsed record schema, or to every finding about it.
// Guarantees: what it accepts, avsc accepts as well, and each field's type has a codec; it never stops at the first finding.
// https://avro.apache.org/docs/1.11.1/specification/
import avsc from 'avsc';
import { nearestName } from '../text/nearest-name.ts';
import { parseFieldDefault } from './field-default.ts';
import { parseFieldType } from './field-type.ts';
import type { SchemaFinding } from './finding.ts';
import { crc64Avro } from './fingerprint.ts';
import { parseVersion, type RecordSchema, type SchemaField } from './schema.ts';
import { isObject, quote, type Report, typeName } from './schema-json.ts';

/** A schema file as it lies below the schema folder. */
export interface SchemaFile {
  /** `<namespace>/<record>/<semver>.avsc`, with slashes. */
  readonly path: string;
  readonly text: string;
}

const namePattern = /^[A-Za-z_][A-Za-z0-9_]*$/;
const recordAttributes = ['type', 'name', 'namespace', 'doc', 'aliases', 'fields'];

/** The schema, or null with at least one finding reported. */
export function parseSchemaFile(file: SchemaFile, findings: SchemaFinding[]): RecordSchema | null {
  const before = findings.length;
  const report: Report = (code, path, found, expected, nearest = null) =>
    findings.push({ code, file: file.path, path, found, expected, nearest });
  const [namespace = '', record = '', fileName = '', ...deeper] = file.path.split('/');
  const version = parseVersion(fileName.replace(/\.avsc$/, ''));
  if (version === null || deeper.length > 0 || !fileName.endsWith('.avsc')) {
    report('WB3001', '', file.path, '<namespace>/<record>/<major.minor.patch>.avsc');
  }
  const json = parseJson(file.text, report);
  if (!isObject(json)) {
    if (json !== undefined) report('WB3004', '', typeName(json), 'an Avro record schema (a JSON object)');
    return null;
  }
  if (json.type !== 'record') report('WB3004', 'type', JSON.stringify(json.type) ?? 'nothing', '"record"');
  for (const attribute of Object.keys(json)) {
    if (recordAttributes.includes(attribute)) continue;
    const nearest = nearestName(attribute, recordAttributes);
    // Avro lets any attribute stand for metadata: only a likely slip of the pen is worth a word.
    if (nearest !== null) report('WB3004', attribute, 'an unknown attribute', 'a known one', nearest);
  }
  if (json.name !== record)
    report('WB3003', 'name', quote(json.name), `${quote(record)}, as its folder is named`);
  if (json.namespace !== namespace) {
    report('WB3003', 'namespace', quote(json.namespace), `${quote(namespace)}, as its folder is named`);
  }
  const fields = parseFields(json.fields, report);
  if (findings.length > before || version === null) return null;
  const canonicalForm = canonicalFormOf(json, report);
  if (canonicalForm === null) return null;
  return Object.freeze({
    fullName: `${namespace}.${record}`,
    version: Object.freeze(version),
    fields: Object.freeze(fields),
    fingerprint: crc64Avro(canonicalForm),
    text: file.text,
  });
}

/**
 * Avro's Parsing Canonical Form of a schema's JSON. It leaves out logical types, docs, defaults and aliases.
 * Throws avsc's error for what is no Avro schema.
 */
export function parsingCanonicalForm(schemaJson: unknown): string {
  // avsc's Schema type describes the JSON; that it is one is what forSchema finds out.
  return JSON.stringify(avsc.Type.forSchema(schemaJson as avsc.Schema).schema());
}

function canonicalFormOf(json: unknown, report: Report): string | null {
  try {
    return parsingCanonicalForm(json);
  } catch (error) {
    report('WB3004', '', error instanceof Error ? error.message : String(error), 'a valid Avro schema');
    return null;
  }
}

function parseFields(json: unknown, report: Report): SchemaField[] {
  const fields: SchemaField[] = [];
  if (!Array.isArray(json) || json.length === 0) {
    report('WB3004', 'fields', typeName(json), 'a list of at least one field');
    return fields;
  }
  const enums = new Set<string>();
  const names = new Set<string>();
  for (const [index, field] of json.entries()) {
    const name = isObject(field) ? field.name : undefined;
    const path = `fields.${typeof name === 'string' ? name : index}`;
    if (!isObject(field) || typeof name !== 'string' || !namePattern.test(name)) {
      report('WB3004', path, quote(name), 'a field with a name of letters, digits and underscores');
      continue;
    }
    // A record without the field would seem to have it.
    if (name in Object.prototype) {
      report('WB3004', path, quote(name), 'a name that JavaScript objects do not have of themselves');
      continue;
    }
    if (names.has(name)) report('WB3004', path, 'a second field of that name', 'each name once');
    names.add(name);
    const parsed = parseFieldType(field.type, `${path}.type`, report, enums);
    if (parsed === null) continue;
    const fallback =
      'default' in field ? parseFieldDefault(field.default, parsed, `${path}.default`, report) : undefined;
    const aliases = Array.isArray(field.aliases) ? field.aliases.map(String) : [];
    fields.push(Object.freeze({ name, ...parsed, fallback, aliases: Object.freeze(aliases) }));
  }
  return fields;
}

function parseJson(text: string, report: Report): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const at = /position (\d+)/.exec(message);
    const lines = text.slice(0, at === null ? text.length : Number(at[1])).split('\n');
    const column = (lines.at(-1)?.length ?? 0) + 1;
    report('WB3002', `line ${lines.length}, column ${column}`, message, 'JSON');
    return undefined;
  }
}
