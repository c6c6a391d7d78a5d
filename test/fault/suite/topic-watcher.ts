import { deserialize } from 'bson';
import { decodeRawMessage } from '../../../src/message/decode-raw-message.ts';
import { sleep } from '../../../src/shared/sleep.ts';
import type { TopicRecord } from '../../../testbed/read-topic.ts';
import type { DeliveryChecker } from './delivery-checker.ts';
import { LOAD_COLLECTION } from './fault-load.ts';
import { TopicTail } from './topic-tail.ts';

export interface TopicWatcherOptions {
  readonly brokers: string;
  readonly topic: string;
  readonly message: 'bson' | 'raw';
  readonly checker: DeliveryChecker;
}

/** Between two tries while the broker is away. */
const RETRY_MS = 150;

/** Reads the topic beside the run, as a read_committed consumer, and tells the checker what comes and itself when. */
export class TopicWatcher {
  readonly #options: TopicWatcherOptions;
  readonly #stop = new AbortController();
  readonly #probes = new Set<string>();
  readonly #ended: Promise<void>;
  #lastArrivalMs = performance.now();
  #longestGapMs = 0;
  #longestReadMs = 0;
  #arrived = 0;

  constructor(options: TopicWatcherOptions) {
    this.#options = options;
    this.#ended = this.#watch();
  }

  /** The longest time without a message since the last call, the one that goes on included. */
  takeLongestGapMs(): number {
    const gapMs = Math.max(this.#longestGapMs, performance.now() - this.#lastArrivalMs);
    this.#longestGapMs = 0;
    return gapMs;
  }

  /** The longest time that one look at the topic took since the last call: a gap that is the reader's own, or a broker that is away. */
  takeLongestReadMs(): number {
    const readMs = this.#longestReadMs;
    this.#longestReadMs = 0;
    return readMs;
  }

  /** Whether the document of a probe has come. */
  hasCome(probe: string): boolean {
    return this.#probes.has(probe);
  }

  get messages(): number {
    return this.#arrived;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #watch(): Promise<void> {
    const tail = new TopicTail(this.#options);
    while (!this.#stop.signal.aborted) {
      const before = this.#arrived;
      const startedMs = performance.now();
      try {
        await tail.read((record) => this.#visit(record));
      } catch {
        // The broker is down, which is one of the faults: what has come is noted, and the rest is read later.
        await sleep(RETRY_MS, this.#stop.signal);
      }
      this.#longestReadMs = Math.max(this.#longestReadMs, performance.now() - startedMs);
      if (this.#arrived > before) this.#noteArrival();
    }
    tail.close();
  }

  #noteArrival(): void {
    const nowMs = performance.now();
    this.#longestGapMs = Math.max(this.#longestGapMs, nowMs - this.#lastArrivalMs);
    this.#lastArrivalMs = nowMs;
  }

  #visit({ value }: TopicRecord): void {
    this.#arrived++;
    if (value === null) return;
    for (const entry of this.#options.message === 'raw' ? decodeRawMessage(value).logs : [value]) {
      this.#read(entry);
    }
  }

  #read(entry: Uint8Array): void {
    const { ns, op, o, o2 } = deserialize(entry);
    if (!String(ns).endsWith(`.${LOAD_COLLECTION}`)) return;
    const id = String(op === 'u' ? o2._id : o._id);
    this.#options.checker.delivered(id, writeNumber({ id, op, o }));
    if (id.startsWith('probe')) this.#probes.add(id);
  }
}

interface Change {
  readonly id: string;
  readonly op: string;
  readonly o: { readonly n?: number; readonly diff?: { u?: { n?: number }; i?: { n?: number } } };
}

function writeNumber({ id, op, o }: Change): number {
  if (op === 'd') return Number(id.slice(id.indexOf('#') + 1));
  return Number(o.diff === undefined ? o.n : (o.diff.u?.n ?? o.diff.i?.n));
}
