import { crc32 } from 'node:zlib';
import { MongoClient, Timestamp } from 'mongodb';
import { readInt32 } from '../../src/bson/read-value.ts';
import { EntryHeader, scanEntryHeader } from '../../src/oplog/entry-header.ts';
import type { Position } from '../../src/oplog/position.ts';
import type { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { ChangeSource, RawBatch } from '../../src/source/change-source.ts';
import { eventually } from '../../testbed/eventually.ts';

/** One entry as far as a test compares it. */
export interface SeenEntry {
  readonly position: Position;
  /** Of all its bytes. */
  readonly crc: number;
}

/** Reads a source in the background and notes what it hands out. */
export class OplogRecorder implements AsyncDisposable {
  readonly seen: SeenEntry[] = [];
  batches = 0;
  /** What ended the reading, if it failed. */
  error: unknown;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  /** @param options.onBatch awaited before the next batch is asked for */
  constructor(options: {
    source: ChangeSource;
    after: Position;
    budget: MemoryBudget;
    onBatch?: (batch: RawBatch) => Promise<void> | void;
  }) {
    this.#ended = this.#read(options).catch((error: unknown) => {
      this.error = error;
    });
  }

  get last(): Position {
    return this.seen.at(-1)?.position ?? 0n;
  }

  /** Waits until an entry at or after the position has come. @throws the error that ended the reading before. */
  async reach(position: Position, timeoutMs = 60_000): Promise<void> {
    await eventually(() => this.last >= position, {
      what: `position ${position}`,
      timeoutMs,
      everyMs: 20,
      detail: () => `got ${this.seen.length} entries up to ${this.last}`,
      giveUp: () => {
        if (this.error !== undefined) throw this.error;
      },
    });
  }

  /** Waits for the reading to end by itself. */
  ended(): Promise<void> {
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #read(options: ConstructorParameters<typeof OplogRecorder>[0]): Promise<void> {
    for await (const batch of options.source.read(options.after, this.#stop.signal)) {
      this.batches++;
      for (const entry of entriesOf(batch)) this.seen.push(entry);
      await options.onBatch?.(batch);
      options.budget.give(batch.budgetBytes);
    }
  }
}

/** The entries of a batch. */
export function entriesOf(batch: RawBatch): SeenEntry[] {
  const { bytes, arrayAt } = batch;
  const header = new EntryHeader();
  const seen: SeenEntry[] = [];
  const end = arrayAt + readInt32(bytes, arrayAt) - 1;
  for (let at = arrayAt + 4; at < end;) {
    while (bytes[++at] !== 0);
    const start = at + 1;
    at = scanEntryHeader(header, bytes, start);
    seen.push({ position: header.position, crc: crc32(bytes.subarray(start, at)) });
  }
  return seen;
}

/** The oplog as an ordinary cursor of the driver reads it: what a source is compared with. */
export async function readOplog(url: string, after: Position, upTo: Position): Promise<SeenEntry[]> {
  await using client = new MongoClient(url);
  const cursor = client
    .db('local')
    .collection('oplog.rs', { readConcern: { level: 'majority' } })
    .find({ ts: { $gt: new Timestamp(after), $lte: new Timestamp(upTo) } }, { raw: true });
  const header = new EntryHeader();
  const seen: SeenEntry[] = [];
  for await (const document of cursor) {
    if (!Buffer.isBuffer(document)) throw new Error('the driver does not give raw documents');
    scanEntryHeader(header, document, 0);
    seen.push({ position: header.position, crc: crc32(document) });
  }
  return seen;
}

/** The position of the newest majority-committed entry. */
export async function newestPosition(url: string): Promise<Position> {
  await using client = new MongoClient(url, { useBigInt64: true });
  const [entry] = await client
    .db('local')
    .collection('oplog.rs', { readConcern: { level: 'majority' } })
    .find({}, { sort: { $natural: -1 }, limit: 1, projection: { ts: 1 } })
    .toArray();
  const ts: unknown = entry?.['ts'];
  if (!(ts instanceof Timestamp)) throw new Error('the oplog is empty');
  return BigInt.asUintN(64, ts.toBigInt());
}
