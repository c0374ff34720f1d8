// Prints findings: errors first, each with what mends it.
import type { Finding } from '../daemon/inspection.ts';

const order = { error: 0, warning: 1, advice: 2 } as const;

/** What `walbridge init` mends comes last, without the statements, which `init --dry-run` prints in their order. */
export function formatFindings(findings: readonly Finding[]): string {
  const sorted = [...findings].sort((a, b) => order[a.severity] - order[b.severity]);
  const lines = sorted
    .filter(({ mendedByInit }) => !mendedByInit)
    .flatMap(({ next, ...finding }) => [
      lineOf(finding),
      ...(next === null ? [] : [`    ${next.replaceAll('\n', '\n    ')}`]),
    ]);
  const due = sorted.filter(({ mendedByInit }) => mendedByInit);
  if (due.length > 0) {
    lines.push(...new Set(due.map(lineOf)));
    lines.push('    walbridge init; its --dry-run prints the statements.');
  }
  return lines.map((line) => `${line}\n`).join('');
}

function lineOf({ severity, part, text }: Omit<Finding, 'next'>): string {
  return `${severity} [${part}] ${text}`;
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === 'error');
}

/** `2 errors, 1 warning, 0 advice`; where `init` mends errors, how many. */
export function countFindings(findings: readonly Finding[]): string {
  const count = (severity: Finding['severity'], singular: string, plural: string) => {
    const number = findings.filter((finding) => finding.severity === severity).length;
    return `${number} ${number === 1 ? singular : plural}`;
  };
  const due = findings.filter(({ severity, mendedByInit }) => severity === 'error' && mendedByInit).length;
  return [
    `${count('error', 'error', 'errors')}${due > 0 ? `, of which \`walbridge init\` mends ${due}` : ''}`,
    count('warning', 'warning', 'warnings'),
    count('advice', 'advice', 'advice'),
  ].join(', ');
}
