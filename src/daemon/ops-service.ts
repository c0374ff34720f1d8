// Serves metrics, health and readiness of this process over HTTP, from what its roles tell and read.
// Guarantees: an answer within a few seconds, whatever is away; nothing is read unless somebody asks, and then at most every
// MAX_AGE_MS; the drivers stay in the roles' threads.

import { parseListenAddress } from '../config/listen-address.ts';
import { WalbridgeError } from '../fault/fault.ts';
import { FreshReading } from '../ops/fresh-reading.ts';
import { type HttpServer, serveHttp } from '../ops/http-server.ts';
import { type Gauges, MetricRegistry } from '../ops/metric-registry.ts';
import type { Part, PartReading, Readings } from '../ops/part-reading.ts';
import { type Readiness, readinessOf } from '../ops/readiness.ts';
import { readingGauges } from '../ops/reading-gauges.ts';
import { RoleBoard } from '../ops/role-board.ts';
import type { RoleReport } from '../ops/role-report.ts';
import { version } from '../text/version.ts';
import { inTime } from './in-time.ts';
import type { Logger } from './log.ts';
import type { Role, RunningRole } from './role.ts';

const MAX_AGE_MS = 2000;
/** A thread may be busy for a moment before it begins to read, and takes up to two seconds then. */
const ANSWER_WITHIN_MS = 4000;

/** Who reads what: the source is the business of capture; warehouse and queue of apply, where this process has it. */
function partsOf(role: Role, roles: readonly Role[]): readonly Part[] {
  const rest: readonly Part[] = ['warehouse', 'queue'];
  if (role === 'apply') return rest;
  return roles.includes('apply') ? ['source'] : ['source', ...rest];
}

export class OpsService {
  readonly #roles: readonly Role[];
  readonly #metrics = new MetricRegistry();
  readonly #board = new RoleBoard(this.#metrics);
  readonly #readings = new FreshReading(() => this.#read(), MAX_AGE_MS);
  #running: readonly RunningRole[] = [];
  #isStopping = false;
  #server: HttpServer | null = null;

  private constructor(roles: readonly Role[]) {
    this.#roles = roles;
  }

  /** Throws WB7300 where `listen` cannot be listened on. */
  static async open(listen: string, roles: readonly Role[], log: Logger): Promise<OpsService> {
    const service = new OpsService(roles);
    const address = parseListenAddress(listen);
    if (address === null) throw new TypeError(`unchecked address: ${listen}`);
    try {
      service.#server = await serveHttp(address, {
        metrics: () => service.#scrape(),
        readiness: () => service.#readiness(),
      });
    } catch (error) {
      throw occupied(listen, error);
    }
    service.#metrics.addProcessMetrics();
    log.info({ address: service.#server.address }, 'serving /metrics, /healthz and /readyz');
    return service;
  }

  /** The roles that run from now on. */
  watch(running: readonly RunningRole[]): void {
    this.#running = running;
    for (const { role, ended } of running) {
      this.#board.started(role);
      void ended.then(() => {
        if (this.#running === running) this.take(role, { of: 'state', state: 'ended', trouble: null });
      });
    }
  }

  take(role: Role, report: RoleReport): void {
    this.#board.take(role, report);
  }

  /** From now on the process is not ready. */
  stopping(): void {
    this.#isStopping = true;
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  async #scrape(): Promise<{ readonly contentType: string; readonly body: string }> {
    const readings = await this.#readings.get();
    this.#metrics.set(readingGauges(readings, Date.now()));
    this.#metrics.set(this.#ownGauges(readings));
    return { contentType: this.#metrics.contentType, body: await this.#metrics.render() };
  }

  #ownGauges(readings: Readings): Gauges {
    const { ready } = readinessOf(this.#board.standings, readings, this.#isStopping);
    return new Map([
      ['walbridge_info', [{ labels: { version }, value: 1 }]],
      ['walbridge_ready', [{ labels: {}, value: ready ? 1 : 0 }]],
      ['walbridge_role_state', this.#board.stateSeries],
      [
        'walbridge_role_utilization_ratio',
        this.#running.map((role) => ({ labels: { role: role.role }, value: role.utilization() })),
      ],
    ]);
  }

  async #readiness(): Promise<Readiness> {
    return readinessOf(this.#board.standings, await this.#readings.get(), this.#isStopping);
  }

  async #read(): Promise<Readings> {
    const all = await Promise.all(
      this.#running.map(async (role) => {
        const wanted = partsOf(role.role, this.#roles);
        return inTime(role.read(wanted), ANSWER_WITHIN_MS, () => silent(role.role, wanted));
      }),
    );
    return Object.assign({}, ...all) as Readings;
  }
}

function silent(role: Role, wanted: readonly Part[]): Readings {
  const down: PartReading<Part> = {
    is: 'down',
    trouble: {
      code: 'WB7301',
      what: `The ${role} role did not come to ask within ${ANSWER_WITHIN_MS / 1000} s.`,
    },
  };
  return Object.fromEntries(wanted.map((part) => [part, down]));
}

function occupied(listen: string, error: unknown): WalbridgeError {
  return new WalbridgeError(
    {
      code: 'WB7300',
      kind: 'permanent',
      what: `Nothing can be served at http.listen ${listen} (${(error as { code?: string }).code}).`,
      safe: 'Nothing was started.',
      next: 'Name an address of this machine and a port that no other process has: each walbridge on a machine needs one of its own.',
    },
    { cause: error },
  );
}
