import { commandError } from '../mongo/mongo-connection-error.ts';
import type { MongoConnection } from '../mongo/mongo-connection.ts';
import { positionOfTimestamp, timestampOf } from '../mongo/timestamp.ts';
import type { Position } from '../oplog/position.ts';
import { CheckpointError } from './checkpoint-error.ts';
import { checkpointFields, checkpointOf } from './checkpoint-document.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.ts';

export interface DatabaseCheckpointStoreOptions {
  /** Connection to `checkpoint.storage.url`, 64-bit integers as bigint; closed with the store. */
  readonly connection: MongoConnection;
  /** `checkpoint.storage.db` and `checkpoint.storage.collection`. */
  readonly database: string;
  readonly collection: string;
  /** The term of the lease that this collector holds; a checkpoint with a later one is never overwritten (I5). */
  readonly term?: bigint | undefined;
}

/** Majority, and how long the server may take for it. */
const MAJORITY = { w: 'majority' as const, wtimeoutMS: 10_000 };

/** Keeps checkpoints in MongoDB, in the document that MongoShake 2.8 writes. */
export class DatabaseCheckpointStore implements CheckpointStore {
  readonly #options: DatabaseCheckpointStoreOptions;

  constructor(options: DatabaseCheckpointStoreOptions) {
    this.#options = options;
  }

  ofTerm(term: bigint): DatabaseCheckpointStore {
    return new DatabaseCheckpointStore({ ...this.#options, term });
  }

  async load(name: string): Promise<Checkpoint | undefined> {
    const documents = await this.#run(`read the checkpoint of ${name}`, () =>
      this.#collection
        .find(
          { name },
          { readPreference: 'primary', readConcern: { level: 'majority' }, limit: 2, singleBatch: true },
        )
        .toArray(),
    );
    const document = documents[0];
    if (document === undefined) return undefined;
    if (documents.length > 1) {
      throw new CheckpointError({
        code: 'CHECKPOINT_AMBIGUOUS',
        message: `${this.#where} holds more than one checkpoint of ${name}`,
        hint: 'remove all but the one with the lowest ckpt',
      });
    }
    return checkpointOf({
      name,
      position: this.#positionOf(name, document['ckpt']),
      version: document['version'],
      fetchMethod: document['fetch_method'],
      diskQueue: document['oplog_disk_queue'],
      where: this.#where,
    });
  }

  /** Raises the stored term, or stores it alone where there is no checkpoint yet. */
  async claim(name: string): Promise<void> {
    const { term } = this.#options;
    if (term === undefined) return;
    await this.#run(`claim the checkpoint of ${name}`, async () => {
      const { matchedCount } = await this.#collection.updateOne(
        { name, ...this.#notLater },
        { $set: { term } },
        { writeConcern: MAJORITY },
      );
      if (matchedCount > 0) return;
      await this.#insertMissing(name, { term });
      await this.#refuseLater(name);
    });
  }

  async save(checkpoint: Checkpoint): Promise<void> {
    const { term } = this.#options;
    const fields = { ...checkpointFields(checkpoint), ...(term === undefined ? {} : { term }) };
    // Each comparison matches values of its own type only: a number, or the Timestamp of releases before 2.8.
    const lower = [
      { ckpt: { $lt: fields.ckpt } },
      { ckpt: { $lt: timestampOf(checkpoint.position) } },
      { ckpt: { $exists: false } },
    ];
    await this.#run(`store the checkpoint of ${checkpoint.name}`, async () => {
      const forward = { $and: [{ name: checkpoint.name }, { $or: lower }, this.#notLater] };
      const { matchedCount } = await this.#collection.updateOne(
        forward,
        { $set: fields },
        { writeConcern: MAJORITY },
      );
      if (matchedCount > 0) return;
      // Either there is none yet, or what is there is as high already, or a later term's.
      await this.#insertMissing(checkpoint.name, fields);
      await this.#refuseLater(checkpoint.name);
    });
  }

  /** Condition on a stored document: no later term than ours has claimed it. */
  get #notLater(): { $or: Array<Record<string, unknown>> } {
    const { term } = this.#options;
    return { $or: term === undefined ? [{}] : [{ term: { $exists: false } }, { term: { $lte: term } }] };
  }

  async #insertMissing(name: string, fields: object): Promise<void> {
    await this.#collection.updateOne(
      { name },
      { $setOnInsert: fields },
      { writeConcern: MAJORITY, upsert: true },
    );
  }

  /** @throws CheckpointError when a later term than ours has claimed the checkpoint (I5) */
  async #refuseLater(name: string): Promise<void> {
    const { term } = this.#options;
    if (term === undefined) return;
    const later = await this.#collection.findOne(
      { name, term: { $gt: term } },
      { readPreference: 'primary', readConcern: { level: 'majority' } },
    );
    if (later === null) return;
    throw new CheckpointError({
      code: 'CHECKPOINT_STALE_TERM',
      message: `The checkpoint of ${name} in ${this.#where} belongs to term ${String(later['term'])}, ours is ${term}`,
      hint: 'another collector has taken over and goes on; this one stands by',
    });
  }

  get #collection() {
    const { connection, database, collection } = this.#options;
    return connection.client.db(database).collection(collection);
  }

  get #where(): string {
    const { connection, database, collection } = this.#options;
    return `${database}.${collection} at ${connection.maskedUrl}`;
  }

  #positionOf(name: string, value: unknown): Position | undefined {
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'bigint') return BigInt.asUintN(64, value);
    if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
    const position = positionOfTimestamp(value);
    if (position !== undefined) return position;
    throw new CheckpointError({
      code: 'CHECKPOINT_UNREADABLE',
      message: `The field ckpt of the checkpoint of ${name} in ${this.#where} is neither a 64-bit integer nor a timestamp`,
      hint: 'set it to NumberLong(seconds * 2^32 + increment), or remove the document and set checkpoint.start_position',
    });
  }

  async #run<T>(what: string, action: () => Promise<T>): Promise<T> {
    try {
      return await action();
    } catch (error) {
      if (error instanceof CheckpointError) throw error;
      const cause = commandError(error, { url: this.#options.connection.maskedUrl, what });
      throw new CheckpointError({
        code: 'CHECKPOINT_STORE',
        message: cause.message,
        retry: cause.retry,
        ...(cause.hint === undefined ? {} : { hint: cause.hint }),
        cause: error,
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connection[Symbol.asyncDispose]();
  }
}
