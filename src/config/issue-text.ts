// Words for what the configuration's schema refuses: what was found, what was expected, which valid name is near.
// Guarantees: no value of a key that may hold a secret.
import type { z } from 'zod';
import { nearestName } from '../text/nearest-name.ts';

type Issue = z.core.$ZodIssue;

export interface IssueText {
  readonly found: string;
  readonly expected: string;
  readonly nearest: string | null;
}

/** Connection strings hold passwords more often than they should. */
const secretKey = /^(url|password|connectionString)$/;
const LONGEST_VALUE = 60;

const kinds: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  array: 'a list',
};

/** `value`: what stands there, undefined where nothing does. `keys`: the valid ones below the issue's path. */
export function issueText(issue: Issue, value: unknown, keys: readonly string[]): IssueText {
  const name = issue.path.join('.');
  const found = value === undefined ? `no ${name}` : `${name}: ${shown(issue, value)}`;
  const [expected, nearest] = expectation(issue, value, keys);
  return { found, expected, nearest };
}

function shown(issue: Issue, value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'keys';
  if (secretKey.test(String(issue.path.at(-1)))) return 'a value of another form';
  const text = JSON.stringify(value);
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}

function expectation(issue: Issue, value: unknown, keys: readonly string[]): [string, string | null] {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.expected === 'object') return [`keys such as ${keys[0]}:`, null];
      return [kinds[issue.expected] ?? issue.expected, null];
    case 'invalid_value': {
      const names = issue.values.map(String);
      const text = typeof value === 'string' ? value : '';
      const cased = names.find((valid) => valid.toLowerCase() === text.toLowerCase());
      return [`one of ${names.join(', ')}`, cased ?? nearestName(text, names)];
    }
    case 'too_small':
      if (issue.origin === 'string') return ['a text that is not empty', null];
      if (issue.origin === 'array') return ['at least one', null];
      return [`${issue.inclusive ? 'at least' : 'more than'} ${issue.minimum}`, null];
    case 'too_big':
      return [`${issue.inclusive ? 'at most' : 'less than'} ${issue.maximum}`, null];
    default:
      return [issue.message.replace(/^expected /, ''), null];
  }
}
