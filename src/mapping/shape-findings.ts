// What zod says about a mapping file's shape, as findings with places.
// Guarantees: of a short and a long form, the one that the author meant is spoken of; misspelt keys get the nearest valid one.
import type { core } from 'zod';
import { nearestName } from '../canonical/finding.ts';
import { documentSchema } from './document-schema.ts';
import { codes, type FindingList } from './finding.ts';
import type { YamlPath, YamlText } from './yaml-text.ts';

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
    const meant = issue.errors.filter(
      (branch) => !branch.some((inner) => inner.code === 'invalid_type' && inner.path.length === 0),
    );
    const branch = meant[0];
    if (meant.length > 0 && branch !== undefined) {
      for (const inner of branch) reportIssue(inner, path, yaml, findings);
      return;
    }
    const expected = issue.errors.flat().flatMap((inner) => ('expected' in inner ? [inner.expected] : []));
    findings.error(
      codes.shape,
      yaml.valueAt(path),
      'another kind of value',
      [...new Set(expected)].join(' or '),
    );
    return;
  }
  if (issue.code === 'invalid_value') {
    const written = yaml.textAt(path);
    findings.unknown(codes.shape, yaml.valueAt(path), 'value', written, issue.values.map(String));
    return;
  }
  if (issue.code === 'invalid_type') {
    const found = yaml.has(path) ? 'another kind of value' : `no "${String(path.at(-1))}"`;
    findings.error(codes.shape, yaml.valueAt(path), found, issue.expected, nearestKey(path, yaml));
    return;
  }
  findings.error(codes.shape, yaml.valueAt(path), 'a value that does not do', issue.message);
}

/** A missing key's likely misspelling is reported as an unknown key already; nothing to add. */
function nearestKey(path: YamlPath, yaml: YamlText): string | null {
  return yaml.has(path) ? null : nearestName(String(path.at(-1)), yaml.keysAt(path.slice(0, -1)));
}

function validKeys(path: YamlPath): readonly string[] {
  const [top, , third] = path;
  if (path.length === 0) return Object.keys(documentSchema.shape);
  if (top === 'source') return ['table', 'key'];
  if (top === 'target') return ['table', 'key', 'mode'];
  if (top === 'metadata') return ['commitLsn', 'commitTime', 'operation', 'appliedAt'];
  if (third === undefined) return ['from', 'transform', 'expr', 'target', 'misfit', 'flag'];
  if (third === 'target') return ['column', 'type', 'nullable'];
  if (third === 'misfit') return ['value'];
  if (path.at(-1) === 'lookup') return ['table', 'file', 'otherwise'];
  return ['constant', 'concat', 'lookup', 'jsonPath', 'default', 'cast'];
}
