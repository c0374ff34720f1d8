// What zod says about a mapping file's shape, as findings with places.
// Guarantees: of a short and a long form, the one that the author meant is spoken of; misspelt keys get the nearest valid one.
import type { core } from 'zod';
import type { YamlPath, YamlText } from '../text/yaml-text.ts';
import { documentSchema } from './document-schema.ts';
import { codes, type FindingList } from './finding.ts';

/** One zod issue as findings; of a union's branches, the one that the author meant. */
export function reportIssue(
  issue: core.$ZodIssue,
  base: YamlPath,
  yaml: YamlText,
  findings: FindingList,
): void {
  const path = [...base, ...(issue.path as (string | number)[])];
  if (issue.code === 'unrecognized_keys') {
    for (const key of issue.keys) {
      findings.unknown(codes.shape, yaml.keyAt([...path, key]), 'key', key, validKeys(path));
    }
    return;
  }
  if (issue.code === 'invalid_union') {
    const meant = issue.errors.find((branch) => !branch.some((inner) => isOtherForm(inner, path, yaml)));
    if (meant !== undefined) {
      for (const inner of meant) reportIssue(inner, path, yaml, findings);
      return;
    }
    const forms = [...new Set(issue.errors.flatMap((branch) => branch.flatMap(formsOf)))];
    findings.error(codes.shape, yaml.valueAt(path), foundAt(path, yaml), forms.join(' or '));
    return;
  }
  if (issue.code === 'invalid_value') {
    const written = yaml.textAt(path);
    findings.unknown(codes.shape, yaml.valueAt(path), 'value', written, issue.values.map(String));
    return;
  }
  if (issue.code === 'invalid_type') {
    findings.error(codes.shape, yaml.valueAt(path), foundAt(path, yaml), issue.expected);
    return;
  }
  findings.error(codes.shape, yaml.valueAt(path), 'a value that does not do', issue.message);
}

function foundAt(path: YamlPath, yaml: YamlText): string {
  return yaml.has(path) ? 'another kind of value' : `no "${String(path.at(-1))}"`;
}

/** The value is not even of the kind that this branch of a union takes. */
function isOtherForm(issue: core.$ZodIssue, base: YamlPath, yaml: YamlText): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_type') return true;
  if (issue.code === 'invalid_value') return yaml.textAt(base) === '';
  if (issue.code !== 'invalid_union') return false;
  return issue.errors.every((branch) => branch.some((inner) => isOtherForm(inner, base, yaml)));
}

function formsOf(issue: core.$ZodIssue): string[] {
  if (issue.code === 'invalid_type') return [issue.expected];
  if (issue.code === 'invalid_value') return issue.values.map(String);
  return issue.code === 'invalid_union' ? issue.errors.flatMap((branch) => branch.flatMap(formsOf)) : [];
}

function validKeys(path: YamlPath): readonly string[] {
  const [top, , third] = path;
  if (path.length === 0) return Object.keys(documentSchema.shape);
  if (top === 'source') return ['table', 'key'];
  if (top === 'target') return ['table', 'key', 'mode'];
  if (top === 'metadata') return ['commitLsn', 'commitTime', 'operation', 'appliedAt'];
  if (third === undefined) return ['from', 'transform', 'expr', 'target', 'misfit', 'flag'];
  if (third === 'target') return ['column', 'type', 'nullable', 'collation'];
  if (third === 'misfit') return ['value'];
  if (path.at(-1) === 'lookup') return ['table', 'file', 'otherwise'];
  return ['constant', 'concat', 'lookup', 'jsonPath', 'default', 'cast'];
}
