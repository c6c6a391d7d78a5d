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
  /** A further condition that a stored document must meet to be overwritten, and what to store with it. */
  readonly fence?: { readonly filter: Record<string, unknown>; readonly fields: Record<string, unknown> };
}

/** How long the server may take to make a checkpoint majority-durable. */
const WRITE_TIMEOUT_MS = 30_000;

/** Keeps checkpoints in MongoDB, in the document that MongoShake 2.8 writes. */
export class DatabaseCheckpointStore implements CheckpointStore {
  readonly #options: DatabaseCheckpointStoreOptions;

  constructor(options: DatabaseCheckpointStoreOptions) {
    this.#options = options;
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

  async save(checkpoint: Checkpoint): Promise<void> {
    const { fence } = this.#options;
    const fields = { ...checkpointFields(checkpoint), ...fence?.fields };
    // Each comparison matches values of its own type only: a number, or the Timestamp of releases before 2.8.
    const lower = [{ ckpt: { $lt: fields.ckpt } }, { ckpt: { $lt: timestampOf(checkpoint.position) } }];
    const writeConcern = { w: 'majority' as const, wtimeoutMS: WRITE_TIMEOUT_MS };
    await this.#run(`store the checkpoint of ${checkpoint.name}`, async () => {
      const forward = { name: checkpoint.name, $or: lower, ...fence?.filter };
      const { matchedCount } = await this.#collection.updateOne(forward, { $set: fields }, { writeConcern });
      if (matchedCount > 0) return;
      // Either there is none yet, or what is there is as high already, or fenced.
      await this.#collection.updateOne(
        { name: checkpoint.name },
        { $setOnInsert: fields },
        { writeConcern, upsert: true },
      );
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
