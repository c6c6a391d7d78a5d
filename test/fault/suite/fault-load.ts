import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { MongoClient, type ClientSession, type Collection } from 'mongodb';
import { sleep } from '../../../src/shared/sleep.ts';
import type { DeliveryChecker } from './delivery-checker.ts';

/** `_id` ends with `#` and the number of the write that deletes it, so that a delete can be told too. */
interface Counted {
  readonly _id: string;
  readonly n: number;
  readonly pad: string;
}

export interface FaultLoadOptions {
  readonly url: string;
  readonly database: string;
  readonly checker: DeliveryChecker;
  readonly writesPerSecond: number;
}

export const LOAD_COLLECTION = 'ledger';
const PLAIN_WRITERS = 48;
const TRANSACTION_WRITERS = 3;
const SLOW_TRANSACTION_WRITERS = 3;
const DOCUMENTS_PER_TRANSACTION = 5;
const PAUSE_AFTER_FAILURE_MS = 50;

/**
 * Inserts, updates and deletes documents, alone and in transactions, of which some are open for seconds and some are aborted. It
 * goes through elections and outages; what a majority has acknowledged is told to the checker. A document whose write has failed is
 * left alone from then on, because nobody knows whether it happened.
 */
export class FaultLoad {
  readonly #options: FaultLoadOptions;
  readonly #stop = new AbortController();
  readonly #client: MongoClient;
  readonly #collection: Collection<Counted>;
  readonly #ended: Promise<unknown>;
  #documents = 0;

  constructor(options: FaultLoadOptions) {
    this.#options = options;
    setMaxListeners(0, this.#stop.signal);
    this.#client = new MongoClient(options.url, {
      serverSelectionTimeoutMS: 2_000,
      socketTimeoutMS: 10_000,
      maxPoolSize: 80,
      writeConcern: { w: 'majority' },
    });
    this.#collection = this.#client.db(options.database).collection<Counted>(LOAD_COLLECTION);
    const loops = [
      ...Array.from({ length: PLAIN_WRITERS }, () => this.#writePlainly()),
      ...Array.from({ length: TRANSACTION_WRITERS }, () => this.#transact()),
      ...Array.from({ length: SLOW_TRANSACTION_WRITERS }, (_, i) => this.#transactSlowly(i)),
    ];
    this.#ended = Promise.all(loops);
    this.#ended.catch(() => undefined);
  }

  /** Resolves when the last write has been answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
    await this.#client.close();
  }

  /** Writes one more document, again and again until a majority has it. @returns its `_id`; the write is number 0 */
  async probe(signal: AbortSignal): Promise<string> {
    for (;;) {
      signal.throwIfAborted();
      const _id = this.#newId('probe', 1);
      if (await this.#try(() => this.#collection.insertOne({ _id, n: 0, pad: '' }))) {
        this.#options.checker.acknowledged(_id, 0);
        return _id;
      }
    }
  }

  #newId(kind: string, deletedBy: number): string {
    this.#documents++;
    return `${kind}-${this.#documents}#${deletedBy}`;
  }

  /** @returns whether it was acknowledged */
  async #try(write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch {
      await pause(PAUSE_AFTER_FAILURE_MS);
      return false;
    }
  }

  /** The lives of documents, one after the other: an insert, updates and replacements, a delete. */
  async #writePlainly(): Promise<void> {
    const { checker, writesPerSecond } = this.#options;
    const { signal } = this.#stop;
    const everyMs = (1000 * PLAIN_WRITERS) / writesPerSecond;
    let next = performance.now() + Math.random() * everyMs;
    while (!signal.aborted) {
      const deletedBy = 2 + Math.floor(Math.random() * 20);
      const _id = this.#newId('plain', deletedBy);
      for (let n = 0; n <= deletedBy && !signal.aborted; n++) {
        if (!(await this.#try(() => this.#change(_id, n)))) break;
        checker.acknowledged(_id, n);
        next += everyMs;
        const pauseMs = next - performance.now();
        if (pauseMs > 0) await sleep(pauseMs, signal);
        else next = performance.now();
      }
    }
  }

  /** The n-th write of a document. */
  #change(_id: string, n: number, session?: ClientSession): Promise<unknown> {
    const pad = 'x'.repeat((n * 37) % 400);
    const options = session === undefined ? {} : { session };
    if (n === 0) return this.#collection.insertOne({ _id, n, pad }, options);
    if (n === Number(_id.slice(_id.indexOf('#') + 1))) return this.#collection.deleteOne({ _id }, options);
    if (n % 3 === 0) return this.#collection.replaceOne({ _id }, { n, pad }, options);
    return this.#collection.updateOne({ _id }, { $set: { n, pad } }, options);
  }

  /** Several documents go through their lives in three transactions. */
  async #transact(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const ids = Array.from({ length: DOCUMENTS_PER_TRANSACTION }, () => this.#newId('transaction', 4));
      for (const writes of [[0, 1], [2, 3], [4]]) {
        const changes = ids.flatMap((_id) => writes.map((n) => ({ _id, n })));
        if (!(await this.#commit(changes, { stepMs: 0, isAborted: false }))) break;
      }
      await sleep(20, this.#stop.signal);
    }
  }

  /** Transactions that are open for seconds, so that every fault meets some; each fourth is aborted. */
  async #transactSlowly(writer: number): Promise<void> {
    for (let turn = writer; !this.#stop.signal.aborted; turn++) {
      const ids = Array.from({ length: DOCUMENTS_PER_TRANSACTION }, () => this.#newId('slow', 1));
      const changes = ids.map((_id) => ({ _id, n: 0 }));
      await this.#commit(changes, { stepMs: 100 + Math.random() * 700, isAborted: turn % 4 === 0 });
    }
  }

  /** @returns whether the transaction was committed for sure */
  async #commit(
    changes: readonly { readonly _id: string; readonly n: number }[],
    options: { stepMs: number; isAborted: boolean },
  ): Promise<boolean> {
    const { checker } = this.#options;
    const session = this.#client.startSession();
    try {
      return await this.#try(async () => {
        session.startTransaction();
        for (const { _id, n } of changes) {
          await this.#change(_id, n, session);
          if (options.stepMs > 0) await sleep(options.stepMs, this.#stop.signal);
        }
        if (options.isAborted) await session.abortTransaction();
        else await session.commitTransaction();
        const tell = options.isAborted ? 'refused' : 'acknowledged';
        for (const { _id, n } of changes) checker[tell](_id, n);
      });
    } finally {
      await session.endSession().catch(() => undefined);
    }
  }
}
