import { deserialize } from 'bson';
import { MongoClient, type Collection } from 'mongodb';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import type { Position } from '../../src/oplog/position.ts';
import { sleep } from '../../src/shared/sleep.ts';
import type { CollectorJob } from './collector-job.ts';

const documents = 300;
const writers = 6;
/** Writes of a writer between two looks at the clock. */
const burst = 25;

interface Counted {
  readonly _id: string;
  readonly n: number;
  readonly pad: string;
}

/**
 * Changes documents at a steady rate through elections and restarts, and remembers what was acknowledged by a majority.
 * Each document is written by one writer only and counts its changes in `n`, so that a reader can tell
 * what is missing and what is out of order.
 */
export class Ledger {
  /** Acknowledged changes. */
  acknowledged = 0;
  /** By document, the counts that were acknowledged. */
  readonly #counts = new Map<string, number[]>();
  readonly #stop = new AbortController();
  readonly #client: MongoClient;
  readonly #ended: Promise<unknown>;

  constructor(options: { url: string; database: string; writesPerSecond: number }) {
    this.#client = new MongoClient(options.url, {
      serverSelectionTimeoutMS: 2000,
      socketTimeoutMS: 5000,
      retryWrites: true,
      writeConcern: { w: 'majority' },
    });
    const collection = this.#client.db(options.database).collection<Counted>('ledger');
    const everyMs = (1000 * writers * burst) / options.writesPerSecond;
    this.#ended = Promise.all(
      Array.from({ length: writers }, (_, writer) => this.#write({ collection, writer, everyMs })),
    );
  }

  /** Resolves when the last change has been answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#client.close();
  }

  /** Acknowledged changes that were never delivered, as `document:count`. */
  missingIn(deliveries: Deliveries): string[] {
    const missing: string[] = [];
    for (const [id, counts] of this.#counts) {
      const seen = deliveries.counts.get(id);
      for (const n of counts) if (seen?.has(n) !== true) missing.push(`${id}:${n}`);
    }
    return missing;
  }

  async #write(options: { collection: Collection<Counted>; writer: number; everyMs: number }): Promise<void> {
    const { collection, writer, everyMs } = options;
    const { signal } = this.#stop;
    let next = performance.now();
    for (let turn = 0; !signal.aborted; turn++) {
      await Promise.all(
        Array.from({ length: burst }, (_, i) => {
          const id = `w${writer}-${(turn * burst + i) % (documents / writers)}`;
          return this.#change(collection, id, Math.floor((turn * burst + i) / (documents / writers)));
        }),
      );
      next += everyMs;
      const pauseMs = next - performance.now();
      if (pauseMs > 0) await sleep(pauseMs, signal);
      else next = performance.now();
    }
  }

  /** The n-th change of a document; not acknowledged means not in the ledger, whether it happened or not. */
  async #change(collection: Collection<Counted>, _id: string, n: number): Promise<void> {
    try {
      await collection.updateOne({ _id }, { $set: { n, pad: 'x'.repeat(n % 200) } }, { upsert: true });
    } catch {
      await sleep(20, this.#stop.signal);
      return;
    }
    this.acknowledged++;
    const counts = this.#counts.get(_id);
    if (counts === undefined) this.#counts.set(_id, [n]);
    else counts.push(n);
  }
}

/** What a topic holds of a ledger. */
export interface Deliveries {
  readonly total: number;
  /** By document, the counts that came. */
  readonly counts: ReadonlyMap<string, ReadonlySet<number>>;
  /** Messages that had come before. */
  readonly repeats: number;
  /** First deliveries that came before an earlier change of the same document, as `document:count`. */
  readonly disorder: readonly string[];
  readonly newest: Position;
}

/** Reads the topic of a job in the order of each partition. */
export async function readDeliveries(
  job: CollectorJob,
  message: 'bson' | 'raw' = 'bson',
): Promise<Deliveries> {
  const counts = new Map<string, Set<number>>();
  const highest = new Map<string, Position>();
  const disorder: string[] = [];
  let total = 0;
  let repeats = 0;
  let newest = 0n;
  for (const value of await job.values()) {
    for (const entry of message === 'bson' ? [value] : decodeRawMessage(value).logs) {
      const { ts, ns, o, o2, op } = deserialize(entry, { useBigInt64: true });
      const position = BigInt.asUintN(64, ts.toBigInt());
      if (position > newest) newest = position;
      if (!String(ns).endsWith('.ledger')) continue;
      total++;
      const id = String((op === 'i' ? o : o2)._id);
      const n = Number(op === 'i' ? o.n : (o.diff.u?.n ?? o.diff.i?.n));
      let seen = counts.get(id);
      if (seen === undefined) counts.set(id, (seen = new Set()));
      if (seen.has(n)) repeats++;
      else if (position < (highest.get(id) ?? 0n)) disorder.push(`${id}:${n}`);
      seen.add(n);
      if (position > (highest.get(id) ?? 0n)) highest.set(id, position);
    }
  }
  return { total, counts, repeats, disorder, newest };
}
