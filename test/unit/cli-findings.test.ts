// What `check` and `init` print of findings and statements, and the exit codes of faults.
import { describe, expect, it } from 'vitest';
import { exitCodeOf } from '../../src/cli/context.ts';
import { countFindings, formatFindings } from '../../src/cli/findings.ts';
import { formatStatements } from '../../src/cli/statement-list.ts';
import type { Finding } from '../../src/daemon/inspection.ts';
import { type FaultDetail, WalbridgeError } from '../../src/fault/fault.ts';

const finding = (text: string, more: Partial<Finding> = {}): Finding => ({
  part: 'warehouse',
  severity: 'error',
  text,
  next: `mend ${text}\nso`,
  ...more,
});

describe('findings', () => {
  it('come with the worst first, and what init mends at the end, without its statements', () => {
    const findings = [
      finding('due', { mendedByInit: true }),
      finding('advised', { severity: 'advice', next: null }),
      finding('wrong'),
      finding('due too', { mendedByInit: true }),
      finding('due', { mendedByInit: true }),
    ];
    expect(formatFindings(findings)).toBe(`error [warehouse] wrong
    mend wrong
    so
advice [warehouse] advised
error [warehouse] due
error [warehouse] due too
    walbridge init; its --dry-run prints the statements.
`);
    expect(countFindings(findings)).toBe('4 errors, of which `walbridge init` mends 3, 0 warnings, 1 advice');
    expect(countFindings([finding('one')])).toBe('1 error, 0 warnings, 0 advice');
  });
});

describe('statements', () => {
  it('of the warehouse are batches of their own, for the tools that it is pasted to', () => {
    const statements = [
      { on: 'warehouse', sql: 'CREATE SCHEMA [crm]' },
      { on: 'warehouse', sql: 'CREATE TABLE [crm].[t] (\n  [id] int\n)' },
      { on: 'source', sql: 'CREATE PUBLICATION p' },
    ] as const;
    expect(formatStatements(statements)).toBe(`-- warehouse
CREATE SCHEMA [crm];
GO
-- warehouse
CREATE TABLE [crm].[t] (
  [id] int
);
GO
-- source
CREATE PUBLICATION p;
`);
  });
});

describe('exit codes', () => {
  const codeOf = (code: FaultDetail['code'], kind: FaultDetail['kind'] = 'permanent') =>
    exitCodeOf(new WalbridgeError({ code, kind, what: '', safe: '', next: '' }));

  it('tell bad input, a fault, and a server that is away apart', () => {
    for (const code of [
      'WB1000',
      'WB3000',
      'WB4000',
      'WB7001',
      'WB7024',
      'WB7201',
      'WB8001',
      'WB8002',
    ] as const)
      expect(codeOf(code), code).toBe(2);
    for (const code of ['WB2002', 'WB2010', 'WB6022', 'WB7000', 'WB7003', 'WB7004', 'WB9000'] as const)
      expect(codeOf(code), code).toBe(1);
    expect(codeOf('WB6002', 'transient')).toBe(75);
  });
});
