import { Counter, Gauge, Registry } from 'prom-client';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { latencyText } from './latency-text.ts';
import type { Leadership } from './leadership.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { laneMetrics, sourceMetrics, states } from './source-metrics.ts';
import type { SourceView } from './source-view.ts';

export interface MetricsRegistryOptions {
  readonly id: string;
  readonly version: string;
  readonly sources: () => readonly SourceView[];
  readonly budget: MemoryBudget;
  /** With an election: who leads. */
  readonly leadership?: (() => Leadership) | undefined;
  /** Also CPU, memory, event loop and garbage collection of the process; default true. */
  readonly processMetrics?: boolean;
}

/**
 * Every metric of a collector as Prometheus reads it. Nothing is counted here: the figures are taken from
 * {@link SourceView} when they are asked for, so a counter costs the hot path one addition.
 */
export class MetricsRegistry {
  readonly contentType: string;
  readonly #registry = new Registry();
  readonly #sources: () => readonly SourceView[];

  constructor(options: MetricsRegistryOptions) {
    this.#sources = options.sources;
    this.contentType = this.#registry.contentType;
    this.#addBuildInfo(options);
    this.#addSources();
    this.#addLanes();
    this.#addMemory(options.budget);
    if (options.leadership !== undefined) this.#addElection(options.leadership);
    if (options.processMetrics !== false) {
      addProcessMetrics(this.#registry);
    }
  }

  /** All metrics in Prometheus' text format 0.0.4. */
  async text(): Promise<string> {
    const text = await this.#registry.metrics();
    // prom-client writes `Nan`, for which the format has `NaN`.
    return `${text.replaceAll(/ Nan$/gm, ' NaN')}\n${latencyText(this.#sources())}`;
  }

  #addBuildInfo(options: MetricsRegistryOptions): void {
    const build = new Gauge({
      name: 'oplogue_build_info',
      help: 'Version of the collector; the value is always 1',
      labelNames: ['id', 'version', 'node'],
      registers: [this.#registry],
    });
    build.set({ id: options.id, version: options.version, node: process.version }, 1);
  }

  #addSources(): void {
    const sources = this.#sources;
    const registers = [this.#registry];
    for (const { name, help, type, read } of sourceMetrics) {
      this.#add({ name, help, type, labelNames: ['source'] }, (write) => {
        for (const view of sources()) write({ source: view.stats.name }, read(view.stats, Date.now()));
      });
    }
    this.#add(
      {
        name: 'oplogue_operations_total',
        help: 'Operations given to the lanes, by kind',
        type: 'counter',
        labelNames: ['source', 'operation'],
      },
      (write) => {
        for (const { stats } of sources()) {
          write({ source: stats.name, operation: 'insert' }, stats.inserts);
          write({ source: stats.name, operation: 'update' }, stats.updates);
          write({ source: stats.name, operation: 'delete' }, stats.deletes);
          write({ source: stats.name, operation: 'command' }, stats.commands);
          write({ source: stats.name, operation: 'noop' }, stats.noops);
        }
      },
    );
    const state = new Gauge({
      name: 'oplogue_state',
      help: 'State of the replication: 1 for the state it is in, 0 for the others',
      labelNames: ['source', 'state'],
      registers,
      collect(): void {
        state.reset();
        for (const { stats } of sources()) {
          for (const name of states)
            state.set({ source: stats.name, state: name }, stats.state === name ? 1 : 0);
        }
      },
    });
  }

  #addLanes(): void {
    for (const { name, help, type, read } of laneMetrics) {
      this.#add({ name, help, type, labelNames: ['source', 'lane'] }, (write) => {
        for (const { stats } of this.#sources()) {
          for (const lane of stats.lanes) write({ source: stats.name, lane: lane.index }, read(lane));
        }
      });
    }
  }

  #addElection(leadership: () => Leadership): void {
    this.#gauge(
      'oplogue_is_master',
      '1 while this collector is the master of its job, 0 while it stands by',
      () => (leadership().role === 'master' ? 1 : 0),
    );
    this.#gauge('oplogue_term', 'Term of the election; grows with every takeover', () =>
      Number(leadership().term),
    );
  }

  #gauge(name: string, help: string, read: () => number): void {
    this.#add({ name, help, type: 'gauge', labelNames: [] }, (write) => write({}, read()));
  }

  #addMemory(budget: MemoryBudget): void {
    this.#gauge(
      'oplogue_memory_budget_used_bytes',
      'Bytes buffered by all stages together',
      () => budget.usedBytes,
    );
    this.#gauge(
      'oplogue_memory_budget_peak_bytes',
      'Most bytes that were ever buffered in this run',
      () => budget.peakBytes,
    );
    this.#gauge(
      'oplogue_memory_budget_limit_bytes',
      'memory.limit: when it is reached, reading pauses',
      () => budget.limitBytes,
    );
  }

  /** Registers one metric whose values are written anew at each scrape. */
  #add(metric: MetricDefinition, collectValues: (write: WriteValue) => void): void {
    const { type, ...definition } = metric;
    const configuration = { ...definition, registers: [this.#registry] };
    if (type === 'counter') {
      const counter = new Counter({
        ...configuration,
        collect(): void {
          counter.reset();
          collectValues((labels, value) => counter.inc(labels, value));
        },
      });
    } else {
      const gauge = new Gauge({
        ...configuration,
        collect(): void {
          gauge.reset();
          collectValues((labels, value) => {
            // Not known yet: no sample.
            if (!Number.isNaN(value)) gauge.set(labels, value);
          });
        },
      });
    }
  }
}

type WriteValue = (labels: Record<string, string | number>, value: number) => void;

interface MetricDefinition {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly labelNames: string[];
}
