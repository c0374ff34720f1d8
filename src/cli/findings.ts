// Prints findings: errors first, each with what mends it.
import type { Finding } from '../daemon/inspection.ts';

const order = { error: 0, warning: 1, advice: 2 } as const;

export function printFindings(findings: readonly Finding[]): void {
  const sorted = [...findings].sort((a, b) => order[a.severity] - order[b.severity]);
  for (const { part, severity, text, next } of sorted) {
    process.stdout.write(`${severity} [${part}] ${text}\n`);
    if (next !== null) process.stdout.write(`    ${next.replaceAll('\n', '\n    ')}\n`);
  }
}

export function hasErrors(findings: readonly Finding[]): boolean {
  return findings.some(({ severity }) => severity === 'error');
}

/** `2 errors, 1 warning` */
export function countFindings(findings: readonly Finding[]): string {
  const count = (severity: Finding['severity'], singular: string, plural: string) => {
    const number = findings.filter((finding) => finding.severity === severity).length;
    return `${number} ${number === 1 ? singular : plural}`;
  };
  return [
    count('error', 'error', 'errors'),
    count('warning', 'warning', 'warnings'),
    count('advice', 'advice', 'advice'),
  ].join(', ');
}
