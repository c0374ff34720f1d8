// Everything that `check` and `init` hold against each other: mappings, source, warehouse, queue.
// Guarantees: every finding of every part at once; a part that cannot be reached is a finding itself.

import { checkCompatibility } from '../canonical/compatibility.ts';
import { isMendedByInit } from '../capture/finding.ts';
import { inspect } from '../capture/inspect.ts';
import { withSource } from '../capture/source-client.ts';
import {
  readSourceFacts,
  type SourceFacts,
  type WantedSource,
  type WantedTable,
} from '../capture/source-facts.ts';
import { isSameTable } from '../change/table-name.ts';
import type { Settings } from '../config/settings.ts';
import { asWalbridgeError } from '../fault/fault.ts';
import { checkSource } from '../mapping/check-source.ts';
import type { CompiledMapping } from '../mapping/compiled-mapping.ts';
import { formatMappingFinding } from '../mapping/finding.ts';
import type { WarehouseFinding } from '../warehouse/finding.ts';
import { sourceOf } from './connections.ts';
import { inspectMappings, type MappingReport } from './load-mappings.ts';

export interface Finding {
  readonly part: 'mappings' | 'source' | 'warehouse' | 'queue';
  readonly severity: 'error' | 'warning' | 'advice';
  /** One line: code, place, what was found and expected. */
  readonly text: string;
  /** What mends it, or null. */
  readonly next: string | null;
  /** `walbridge init` does: nobody has to do anything else about it. */
  readonly mendedByInit?: boolean;
}

/** Of the warehouse: control tables, target tables. */
const dueInWarehouse = new Set<string>(['WB6115', 'WB6205']);

function mappingFindings(settings: Settings, report: MappingReport): Finding[] {
  const of = (severity: Finding['severity']) => (text: string) => ({
    part: 'mappings' as const,
    severity,
    text,
    next: null,
  });
  const conflicts = report.registry.names.flatMap((name) =>
    checkCompatibility(settings.compatibility, report.registry.versions(name)).map((conflict) => ({
      part: 'mappings' as const,
      severity: 'error' as const,
      text: `WB3050 ${conflict.reader} cannot read ${conflict.writer} (${settings.compatibility}): ${conflict.path}: ${conflict.what}: ${conflict.why}`,
      next: 'Give the newer version defaults for what it adds, or another field name for what it changes.',
    })),
  );
  return [...report.errors.map(of('error')), ...report.warnings.map(of('warning')), ...conflicts];
}

/** What the mappings need of the source. */
export function wantedSource(settings: Settings, mappings: readonly CompiledMapping[]): WantedSource {
  const tables = new Map<string, WantedTable>();
  for (const { source, document, plan, filter } of mappings) {
    const name = `${source.schema}.${source.table}`;
    const known = tables.get(name);
    const columns = [...plan.fields.flatMap(({ inputs }) => inputs), ...(filter?.columns ?? [])];
    tables.set(name, {
      ...source,
      key: document.sourceKey ?? known?.key ?? null,
      columns: [...new Set([...(known?.columns ?? []), ...columns])],
    });
  }
  const [first = 'walbridge', ...others] = settings.source.publications;
  return { tables: [...tables.values()], publications: [first, ...others], slot: settings.source.slot };
}

/** The source held against the mappings; facts are null where it can't be reached. */
export async function inspectSource(
  settings: Settings,
  mappings: readonly CompiledMapping[],
): Promise<{
  readonly facts: SourceFacts | null;
  readonly findings: readonly Finding[];
}> {
  const wanted = wantedSource(settings, mappings);
  try {
    const facts = await withSource(sourceOf(settings), (client) => readSourceFacts(client, wanted));
    const raw = inspect(facts, wanted);
    const mapped = mappings.flatMap((mapping) => {
      const found = facts.tables.find(({ description }) => isSameTable(description, mapping.source));
      return found === undefined ? [] : checkSource(mapping, found.description);
    });
    return {
      facts,
      findings: [
        ...raw.map((finding) => ({
          part: 'source' as const,
          severity: finding.severity,
          text: `${finding.code} ${finding.what}`,
          next: finding.next,
          ...(isMendedByInit(finding) && { mendedByInit: true }),
        })),
        ...mapped.map((finding) => ({
          part: 'mappings' as const,
          severity: finding.severity,
          text: formatMappingFinding(finding),
          next: null,
        })),
      ],
    };
  } catch (error) {
    return { facts: null, findings: [unreachable('source', error)] };
  }
}

export function warehouseFinding(finding: WarehouseFinding): Finding {
  const entity = finding.entity === null ? '' : ` (${finding.entity})`;
  return {
    part: 'warehouse',
    severity: finding.severity,
    text: `${finding.code} ${finding.object}${entity}: ${finding.message}`,
    next: finding.statement,
    ...(dueInWarehouse.has(finding.code) && { mendedByInit: true }),
  };
}

export function unreachable(part: Finding['part'], error: unknown): Finding {
  const { code, what, next } = asWalbridgeError(error);
  return { part, severity: 'error', text: `${code} ${what}`, next };
}

/** The mappings with their findings, for callers that go on only without errors. */
export async function inspectMappingFiles(
  settings: Settings,
): Promise<{ readonly report: MappingReport; readonly findings: readonly Finding[] }> {
  const report = await inspectMappings(settings);
  return { report, findings: mappingFindings(settings, report) };
}
