// A verification on the screen: bars and tables on a terminal, plain tables elsewhere, JSON lines where asked for.
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import type { EntityReport, Verification, VerifyFinding } from '../daemon/verify-control.ts';
import { formatTable } from './table.ts';

const MOST_PRINTED = 200;
const NAME_WIDTH = 24;

export class VerifyScreen {
  readonly #out: NodeJS.WriteStream;
  readonly #isJson: boolean;
  readonly #bars: MultiBar | null;
  readonly #shown = new Map<string, SingleBar>();

  constructor(out: NodeJS.WriteStream, json: boolean) {
    this.#out = out;
    this.#isJson = json;
    this.#bars =
      json || !out.isTTY
        ? null
        : new MultiBar(
            {
              stream: out,
              format: '{entity} {bar} {value}/{total} rows',
              barsize: 30,
              gracefulExit: false,
              hideCursor: false,
              linewrap: true,
            },
            Presets.shades_classic,
          );
  }

  progress(entity: string, rows: number, estimate: number): void {
    if (this.#bars === null) return;
    const total = Math.max(1, rows, Math.round(estimate));
    let bar = this.#shown.get(entity);
    if (bar === undefined) {
      bar = this.#bars.create(total, 0);
      this.#shown.set(entity, bar);
    }
    bar.setTotal(total);
    bar.update(rows, { entity: entity.padEnd(NAME_WIDTH) });
  }

  /** As JSON at once; the tables come at the end. */
  report(report: EntityReport): void {
    const bar = this.#shown.get(report.entity);
    bar?.update(bar.getTotal());
    if (!this.#isJson) return;
    const { findings, ...rest } = report;
    for (const finding of findings) this.#line({ type: 'finding', ...finding });
    this.#line({ type: 'entity', ...rest });
  }

  end(): void {
    this.#bars?.stop();
  }

  summary({ id, reports, repairId }: Verification): void {
    if (this.#isJson) {
      this.#line({ type: 'verification', id, repairId });
      return;
    }
    const findings = reports.flatMap((report) => report.findings);
    if (findings.length > 0) this.#out.write(`${findingTable(findings.slice(0, MOST_PRINTED))}\n`);
    if (findings.length > MOST_PRINTED)
      this.#out.write(`… and ${findings.length - MOST_PRINTED} more; --json lists them all.\n`);
    this.#out.write(`${entityTable(reports)}\n`);
    for (const { entity, why, trouble, isCutShort } of reports) {
      if (why !== null) this.#out.write(`${entity}: rows were mapped one by one, for ${why}.\n`);
      if (isCutShort) this.#out.write(`${entity}: more than these differ; the rest was not looked at.\n`);
      if (trouble !== null) this.#out.write(`${entity}: ${trouble.code} ${trouble.text}\n`);
    }
    if (repairId !== null) this.#out.write(`Repair: walbridge backfill show ${repairId} --follow\n`);
  }

  #line(content: object): void {
    this.#out.write(`${JSON.stringify(content)}\n`);
  }
}

function findingTable(findings: readonly VerifyFinding[]): string {
  const isWithValues = findings.some(({ values }) => values !== null);
  const head = ['entity', 'row', 'key', 'columns', 'code', ...(isWithValues ? ['source', 'warehouse'] : [])];
  const rows = findings.map(({ entity, kind, key, columns, code, values }) => {
    const of = (side: 'source' | 'warehouse') =>
      columns.map((column) => JSON.stringify(values?.[column]?.[side] ?? null)).join('\n');
    const keyText = Object.entries(key)
      .map(([column, value]) => `${column}=${value}`)
      .join(', ');
    return [
      entity,
      kind,
      keyText,
      columns.join('\n'),
      code ?? '',
      ...(isWithValues ? [of('source'), of('warehouse')] : []),
    ];
  });
  return formatTable(head, rows);
}

function entityTable(reports: readonly EntityReport[]): string {
  const head = [
    ...['entity', 'state', 'by', 'source rows', 'warehouse rows', 'looked at', 'listed', 'read'],
    ...['missing', 'extra', 'different', 'quarantined', 'unsettled', 's'],
  ];
  const rows = reports.map((report) => {
    const { missing, extra, different, quarantined, unsettled } = report.counts;
    return [
      report.entity,
      report.state,
      report.way,
      report.sourceRows,
      report.warehouseRows,
      `${(report.share * 100).toPrecision(3)} %`,
      report.rowsListed,
      report.rowsRead,
      ...[missing, extra, different, quarantined, unsettled],
      (report.milliseconds / 1000).toFixed(1),
    ];
  });
  return formatTable(head, rows);
}
