// What is wrong with a mapping, said so that it can be mended at once.
// Guarantees: file, line and column, what was found and what was expected; the nearest valid name where one is near.
import { nearestName } from '../text/nearest-name.ts';
import type { Place, YamlFindings } from '../text/yaml-text.ts';

/** Stable codes of what a check of mappings can find. */
export const codes = {
  /** Not YAML. */
  syntax: 'WB4001',
  /** An unknown key, or a value of the wrong shape. */
  shape: 'WB4002',
  /** The record, its version or a lookup file does not exist. */
  unknownReference: 'WB4003',
  /** A field that the record does not have. */
  unknownField: 'WB4004',
  /** A field of the record that nothing fills. */
  unfilledField: 'WB4005',
  /** The source's type cannot become the field's. */
  unassignable: 'WB4006',
  /** The target column cannot hold every value exactly, or cannot hold null. */
  lossyTarget: 'WB4007',
  /** The key is missing, nullable, or not what identifies a row. */
  key: 'WB4008',
  /** A transform that cannot work. */
  transform: 'WB4009',
  /** A CEL expression that does not parse or check. */
  expression: 'WB4010',
  /** A column that the source table does not have. */
  unknownColumn: 'WB4011',
  /** Inputs of which the server may leave one out (unchanged TOAST). */
  partialInputs: 'WB4012',
  /** Two mappings, or two columns, that claim the same name. */
  duplicate: 'WB4013',
} as const;

export interface MappingFinding extends Place {
  /** `error`: the mapping is not used; `warning`: rows may go to quarantine. */
  readonly severity: 'error' | 'warning';
  readonly code: (typeof codes)[keyof typeof codes];
  readonly file: string;
  readonly found: string;
  readonly expected: string;
  readonly nearest: string | null;
}

/** `WB4004 mappings/contacts.yaml:12:5: found field "emial", expected …; nearest: email` */
export function formatMappingFinding(finding: MappingFinding): string {
  const nearest = finding.nearest === null ? '' : `; nearest: ${finding.nearest}`;
  const where = `${finding.file}:${finding.line}:${finding.column}`;
  return `${finding.code} ${where}: found ${finding.found}, expected ${finding.expected}${nearest}`;
}

/** Gathers the findings of one file. */
export class FindingList {
  readonly found: MappingFinding[] = [];
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  error(
    code: MappingFinding['code'],
    place: Place,
    found: string,
    expected: string,
    nearest?: string | null,
  ) {
    this.#add('error', code, place, found, expected, nearest ?? null);
  }

  warning(code: MappingFinding['code'], place: Place, found: string, expected: string) {
    this.#add('warning', code, place, found, expected, null);
  }

  /** An error over a name that is none of `valid`. */
  unknown(code: MappingFinding['code'], place: Place, what: string, name: string, valid: readonly string[]) {
    const known = valid.length === 0 ? 'none here' : `one of ${valid.join(', ')}`;
    this.error(code, place, `${what} "${name}"`, known, nearestName(name, valid));
  }

  hasErrors(): boolean {
    return this.found.some((finding) => finding.severity === 'error');
  }

  #add(
    severity: MappingFinding['severity'],
    code: MappingFinding['code'],
    place: Place,
    found: string,
    expected: string,
    nearest: string | null,
  ) {
    this.found.push({
      severity,
      code,
      file: this.file,
      line: place.line,
      column: place.column,
      found,
      expected,
      nearest,
    });
  }
}

/** What is wrong with the text as YAML, among a file's other findings. */
export function yamlFindings(list: FindingList): YamlFindings {
  return {
    error: (kind, place, found, expected) =>
      list.error(kind === 'syntax' ? codes.syntax : codes.shape, place, found, expected),
  };
}
