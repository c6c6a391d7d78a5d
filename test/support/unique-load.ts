import { deserialize } from 'bson';
import { MongoClient, type Collection } from 'mongodb';
import { expect } from 'vitest';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import { sleep } from '../../src/shared/sleep.ts';
import { eventually } from '../../testbed/eventually.ts';
import type { TopicRecord } from '../../testbed/read-topic.ts';
import type { CollectorJob } from './collector-job.ts';

interface Numbered {
  readonly _id: string;
  readonly n: number;
  readonly pad: string;
}

const plainWriters = 6;
const documentsPerWriter = 40;
/** Documents that a transaction changes. */
const transactionDocuments = 7;
const oneMegabyte = 1024 * 1024;

/**
 * Writes of which each can be told from all others: replacements of documents whose `n` counts up, alone, in small transactions, and in
 * transactions that do not fit into one entry of the oplog. Each document is written by one writer, one write after the other.
 */
export class UniqueLoad {
  /** Acknowledged writes, `document:n`. */
  readonly acknowledged = new Set<string>();
  readonly #stop = new AbortController();
  readonly #client: MongoClient;
  readonly #ended: Promise<unknown>;

  constructor(options: { url: string; database: string; withLarge?: boolean }) {
    this.#client = new MongoClient(options.url);
    const collection = this.#client.db(options.database).collection<Numbered>('unique');
    const { withLarge = true } = options;
    this.#ended = Promise.all([
      ...Array.from({ length: plainWriters }, (_, writer) => this.#writeAlone(collection, `alone-${writer}`)),
      this.#transact(collection, { name: 'small', pauseMs: 5, padBytes: 100 }),
      withLarge && this.#transact(collection, { name: 'large', pauseMs: 2500, padBytes: 3 * oneMegabyte }),
    ]);
    this.#ended.catch(() => undefined);
  }

  /** Resolves when the last write has been acknowledged. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#client.close();
  }

  /**
   * Expects that what is delivered to a job's topic is every write once, and those of a document in order within each partition. Call it
   * after {@link stop}; the broker may still be writing the markers of the last transaction.
   */
  async expectExactly(job: CollectorJob): Promise<void> {
    await job.settle();
    let records = await job.records();
    const isWhole = async (): Promise<boolean> => {
      records = await job.records();
      return this.#faultsIn(records).missing === 0;
    };
    await eventually(isWhole, { what: 'all writes', timeoutMs: 10_000 }).catch(() => undefined);
    expect(this.#faultsIn(records)).toEqual({ missing: 0, repeated: 0, disorder: 0 });
  }

  #faultsIn(records: readonly TopicRecord[]): { missing: number; repeated: number; disorder: number } {
    const seen = new Set<string>();
    const newest = new Map<string, number>();
    const faults = { missing: 0, repeated: 0, disorder: 0 };
    for (const record of records) {
      for (const { _id, n } of writesOf(record.value ?? Buffer.alloc(0))) {
        const write = `${_id}:${n}`;
        const place = `${record.partition} ${_id}`;
        if (seen.has(write)) faults.repeated++;
        else if (n < (newest.get(place) ?? 0)) faults.disorder++;
        seen.add(write);
        newest.set(place, n);
      }
    }
    for (const write of this.acknowledged) if (!seen.has(write)) faults.missing++;
    return faults;
  }

  async #writeAlone(collection: Collection<Numbered>, name: string): Promise<void> {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const _id = `${name}-${turn % documentsPerWriter}`;
      const n = Math.floor(turn / documentsPerWriter);
      await collection.replaceOne({ _id }, { n, pad: 'x'.repeat(turn % 300) }, { upsert: true });
      this.acknowledged.add(`${_id}:${n}`);
    }
  }

  async #transact(
    collection: Collection<Numbered>,
    options: { name: string; pauseMs: number; padBytes: number },
  ): Promise<void> {
    const { name, pauseMs, padBytes } = options;
    const ids = Array.from({ length: transactionDocuments }, (_, i) => `${name}-${i}`);
    for (let n = 0; !this.#stop.signal.aborted; n++) {
      await this.#client.withSession((session) =>
        session.withTransaction(async () => {
          for (const _id of ids) {
            const pad = 'x'.repeat(padBytes);
            await collection.replaceOne({ _id }, { n, pad }, { upsert: true, session });
          }
        }),
      );
      for (const _id of ids) this.acknowledged.add(`${_id}:${n}`);
      await sleep(pauseMs, this.#stop.signal);
    }
  }
}

/** The writes in a record of any message form; json must be `plain`. */
function writesOf(value: Buffer): Numbered[] {
  const isBson = value.length >= 5 && value.readInt32LE(0) === value.length;
  if (!isBson && value.toString('latin1', 0, 2) === '{"') return numbered(JSON.parse(value.toString()));
  const entries = isBson ? [value] : decodeRawMessage(value).logs;
  return entries.flatMap((entry) => {
    const { ns, o } = deserialize(entry);
    return numbered({ ns, o });
  });
}

function numbered(entry: { ns: string; o: Numbered }): Numbered[] {
  return entry.ns.endsWith('.unique') ? [entry.o] : [];
}
