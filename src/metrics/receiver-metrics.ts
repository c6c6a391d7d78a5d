import { Counter, Gauge, Registry } from 'prom-client';
import { addProcessMetrics } from './process-metrics.ts';
import type { ReceiverView } from './receiver-view.ts';

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly value: (view: ReceiverView) => number;
}

const counters: readonly Metric[] = [
  {
    name: 'oplogue_receiver_bytes_total',
    help: 'Bytes of messages that have come in',
    value: ({ traffic }) => traffic.bytes,
  },
  {
    name: 'oplogue_receiver_messages_total',
    help: 'Messages that have come in',
    value: ({ traffic }) => traffic.messages,
  },
  {
    name: 'oplogue_receiver_refused_total',
    help: 'Connections and messages that were turned away',
    value: ({ traffic }) => traffic.refused,
  },
  {
    name: 'oplogue_receiver_entries_done_total',
    help: 'Entries that were applied, or given up',
    value: ({ replayers }) => sum(replayers.map(({ done }) => done)),
  },
  {
    name: 'oplogue_receiver_entries_skipped_total',
    help: 'Entries and messages that were left out (replayer.on_error)',
    value: ({ replayers }) => sum(replayers.map(({ skipped }) => skipped)),
  },
  {
    name: 'oplogue_receiver_retries_total',
    help: 'Batches that a replayer rejected and was given again',
    value: ({ replayers }) => sum(replayers.map(({ retries }) => retries)),
  },
];

const gauges: readonly Metric[] = [
  {
    name: 'oplogue_receiver_connections',
    help: 'Connections that are open',
    value: ({ traffic }) => traffic.connections,
  },
  {
    name: 'oplogue_receiver_messages_queued',
    help: 'Messages that wait for a replayer or are being applied',
    value: ({ replayers }) => sum(replayers.map(({ queued }) => queued)),
  },
  {
    name: 'oplogue_memory_used_bytes',
    help: 'Bytes buffered now',
    value: ({ memory }) => memory.usedBytes,
  },
  {
    name: 'oplogue_memory_limit_bytes',
    help: 'memory.limit',
    value: ({ memory }) => memory.limitBytes,
  },
];

/** Every metric of a receiver as Prometheus reads it; the figures are taken when they are asked for. */
export class ReceiverMetrics {
  readonly contentType: string;
  readonly #registry = new Registry();

  constructor(view: () => ReceiverView) {
    this.contentType = this.#registry.contentType;
    const registers = [this.#registry];
    for (const { name, help, value } of counters) {
      const counter: Counter = new Counter({
        name,
        help,
        registers,
        collect: () => {
          counter.reset();
          counter.inc(value(view()));
        },
      });
    }
    for (const { name, help, value } of gauges) {
      const gauge: Gauge = new Gauge({ name, help, registers, collect: () => gauge.set(value(view())) });
    }
    addProcessMetrics(this.#registry);
  }

  /** All metrics in Prometheus' text format 0.0.4. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
