// The process' metrics, over prom-client: counted as things happen, set anew at each scrape.
// Guarantees: a gauge that was set shows exactly the series it was set to; what is no more leaves no series behind.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { type CountedName, type GaugeName, type MetricDefinition, metricCatalog } from './metric-catalog.ts';

export type Labels = Readonly<Record<string, string>>;

export interface Series {
  readonly labels: Labels;
  readonly value: number;
}

export type Gauges = ReadonlyMap<GaugeName, readonly Series[]>;

/** The main thread serves HTTP and little else: its delays need no fine clock, and a fine one would wake an idle process all the time. */
const EVENT_LOOP_PRECISION_MS = 100;

export class MetricRegistry {
  readonly #registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();

  constructor() {
    for (const [name, definition] of Object.entries<MetricDefinition>(metricCatalog)) {
      const { kind, help, buckets } = definition;
      const common = { name, help, labelNames: definition.labels, registers: [this.#registry] };
      if (kind === 'counter') this.#counters.set(name, new Counter(common));
      else if (kind === 'gauge') this.#gauges.set(name, new Gauge(common));
      else this.#histograms.set(name, new Histogram({ ...common, buckets: [...(buckets ?? [])] }));
    }
  }

  /** Adds prom-client's metrics of the process: processor time, memory, handles, garbage collection. */
  addProcessMetrics(): void {
    collectDefaultMetrics({
      register: this.#registry,
      eventLoopMonitoringPrecision: EVENT_LOOP_PRECISION_MS,
    });
  }

  count(name: CountedName, labels: Labels, by = 1): void {
    this.#counters.get(name)?.inc(labels, by);
  }

  observe(name: CountedName, labels: Labels, value: number): void {
    this.#histograms.get(name)?.observe(labels, value);
  }

  /** Gauges that are not named stay as they are. */
  set(gauges: Gauges): void {
    for (const [name, series] of gauges) {
      const known = this.#gauges.get(name);
      // A gauge without labels would show 0 after `reset`.
      if (metricCatalog[name].labels.length > 0) known?.reset();
      for (const { labels, value } of series) known?.set(labels, value);
    }
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Prometheus' text format. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }
}
