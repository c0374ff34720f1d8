// Reads the configuration: YAML file, then environment, then files named by the environment (secrets).
// Guarantees: every finding at once, with line and column or the variable's name; the settings that come out are frozen.
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { WalbridgeError } from '../fault/fault.ts';
import { nearestName } from '../text/nearest-name.ts';
import { type Place, YamlText } from '../text/yaml-text.ts';
import { issueText } from './issue-text.ts';
import { type Settings, settingKeys, settingsSchema } from './settings.ts';

export interface ConfigFinding {
  readonly code: 'WB1001' | 'WB1002' | 'WB1003';
  /** `walbridge.yaml:3:7`, or an environment variable's name. */
  readonly where: string;
  readonly found: string;
  readonly expected: string;
  readonly nearest: string | null;
}

export interface LoadedConfig {
  readonly settings: Settings | null;
  readonly findings: readonly ConfigFinding[];
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of walbridge that are no settings. */
const OTHER_VARIABLES = ['WALBRIDGE_CONFIG'];
/** Kubernetes sets these in every pod beside a Service named walbridge. https://kubernetes.io/docs/concepts/services-networking/service/ */
const SERVICE_LINKS =
  /^WALBRIDGE_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$/;

export function formatConfigFinding(finding: ConfigFinding): string {
  const nearest = finding.nearest === null ? '' : `; nearest: ${finding.nearest}`;
  return `${finding.code} ${finding.where}: found ${finding.found}, expected ${finding.expected}${nearest}`;
}

/** Throws WB1000 with every finding in its cause where the file can't be read or used. */
export function loadSettings(file: string, environment: Environment): Settings {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw unusable(
      `The configuration file ${file} cannot be read (${(error as { code?: string }).code}).`,
      error,
    );
  }
  const { settings, findings } = parseSettings(file, text, environment, (path) => readFileSync(path, 'utf8'));
  if (settings === null)
    throw unusable(`The configuration cannot be used:\n${findings.map(formatConfigFinding).join('\n')}`);
  return settings;
}

/** The pure part: `readSecret` reads a file that a `*_FILE` variable names. */
export function parseSettings(
  file: string,
  text: string,
  environment: Environment,
  readSecret: (path: string) => string,
): LoadedConfig {
  const findings: ConfigFinding[] = [];
  const at = (place: Place) => `${file}:${place.line}:${place.column}`;
  const yaml = YamlText.parse(text, {
    error: (_kind, place, found, expected) =>
      findings.push({ code: 'WB1001', where: at(place), found, expected, nearest: null }),
  });
  if (yaml === null) return { settings: null, findings };

  const document = yaml.toJS({ integersAsNumbers: true }) ?? {};
  if (typeof document !== 'object' || Array.isArray(document)) {
    const found = Array.isArray(document) ? 'a list' : 'a single value';
    findings.push({
      code: 'WB1002',
      where: at({ line: 1, column: 1 }),
      found,
      expected: 'keys such as source:',
      nearest: null,
    });
    return { settings: null, findings };
  }
  const origins = overrideFromEnvironment(
    document as Record<string, unknown>,
    environment,
    readSecret,
    findings,
  );
  const parsed = settingsSchema.safeParse(document);
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path.map(String);
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        const valid = keysBelow(path);
        findings.push({
          code: 'WB1002',
          where: at(yaml.keyAt([...path, key])),
          found: `unknown key "${[...path, key].join('.')}"`,
          expected: `one of ${valid.join(', ')}`,
          nearest: nearestName(key, valid),
        });
      }
      continue;
    }
    findings.push({
      code: 'WB1002',
      where: origins.get(path.join('.')) ?? at(yaml.valueAt(path)),
      ...issueText(issue, valueIn(document, path), keysBelow(path)),
    });
  }
  if (!parsed.success || findings.length > 0) return { settings: null, findings };
  const folder = dirname(resolve(file));
  const settings = {
    ...parsed.data,
    schemas: resolve(folder, parsed.data.schemas),
    mappings: resolve(folder, parsed.data.mappings),
  };
  return { settings: deepFreeze(settings), findings };
}

/** Lays variables over the document; returns where each overridden path came from. */
function overrideFromEnvironment(
  document: Record<string, unknown>,
  environment: Environment,
  readSecret: (path: string) => string,
  findings: ConfigFinding[],
): Map<string, string> {
  const origins = new Map<string, string>();
  const known = settingKeys.flatMap(({ variable }) => [variable, `${variable}_FILE`]);
  for (const [variable, value] of Object.entries(environment)) {
    if (!variable.startsWith('WALBRIDGE_') || value === undefined) continue;
    if (OTHER_VARIABLES.includes(variable) || variable.startsWith('WALBRIDGE_TEST_')) continue;
    if (SERVICE_LINKS.test(variable)) continue;
    if (!known.includes(variable)) {
      findings.push({
        code: 'WB1003',
        where: variable,
        found: 'a variable that walbridge does not know',
        expected: 'WALBRIDGE_ and the name of a setting, such as WALBRIDGE_SOURCE_URL',
        nearest: nearestName(variable, known),
      });
    }
  }
  for (const { path, variable } of settingKeys) {
    const named = environment[`${variable}_FILE`];
    let value = environment[variable];
    let origin = variable;
    if (value === undefined && named !== undefined) {
      origin = `${variable}_FILE`;
      try {
        value = readSecret(named).trimEnd();
      } catch (error) {
        const found = `${named}, which cannot be read (${(error as { code?: string }).code})`;
        findings.push({ code: 'WB1003', where: origin, found, expected: 'a readable file', nearest: null });
      }
    }
    if (value === undefined) continue;
    origins.set(path.join('.'), origin);
    setIn(document, path, fromText(path, value));
  }
  return origins;
}

/** A variable's text in the type of its setting. */
function fromText(path: readonly string[], text: string): unknown {
  if (path.at(-1) === 'publications') return text.split(',').map((name) => name.trim());
  if (/(Rows|Bytes|Ms|Days|Percent)$/.test(path.at(-1) ?? '') && /^\d+(\.\d+)?$/.test(text))
    return Number(text);
  return text;
}

function setIn(document: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [head, ...rest] = path;
  if (head === undefined) return;
  if (rest.length === 0) {
    document[head] = value;
    return;
  }
  const inner = document[head];
  const child = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : {};
  document[head] = child;
  setIn(child, rest, value);
}

function valueIn(document: unknown, path: readonly string[]): unknown {
  return path.reduce((value, key) => (value as Record<string, unknown> | undefined)?.[key], document);
}

function keysBelow(path: readonly string[]): string[] {
  const below = settingKeys.filter((key) => path.every((part, depth) => key.path[depth] === part));
  return [...new Set(below.map((key) => key.path[path.length] ?? ''))];
}

function deepFreeze<T extends object>(value: T): T {
  for (const inner of Object.values(value))
    if (typeof inner === 'object' && inner !== null) deepFreeze(inner);
  return Object.freeze(value);
}

function unusable(what: string, cause?: unknown): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB1000',
      kind: 'permanent',
      what,
      safe: 'Nothing was started.',
      next: 'Correct the configuration; config/walbridge.example.yaml documents every key.',
    },
    { cause },
  );
}
