import { Long, type ClientSession, type Db, type Document } from 'mongodb';
import { BsonType } from '../bson/bson-type.ts';
import { MalformedBsonError } from '../bson/malformed-bson-error.ts';
import { endOfCString, readUint32, valueLength } from '../bson/read-value.ts';
import { must } from '../shared/assert.ts';

/** One reply of a cursor, as the bytes that came over the wire. */
export interface RawReply {
  readonly bytes: Buffer;
  /** Offset in `bytes` of the BSON array that holds the documents (its length word). */
  readonly arrayAt: number;
  /** 0: the server has closed the cursor. */
  readonly cursorId: bigint;
}

/**
 * A server-side cursor driven by hand, so that a whole batch stays one Buffer. The driver copies the bytes once, from
 * socket chunks into the message; everything here is a view into that.
 * Nothing is ever retried: a lost reply would be a gap. The owner makes a new cursor.
 */
export class RawCursor {
  readonly #db: Db;
  readonly #collection: string;
  readonly #session: ClientSession;
  #id = 0n;

  constructor(options: { db: Db; collection: string; session: ClientSession }) {
    this.#db = options.db;
    this.#collection = options.collection;
    this.#session = options.session;
  }

  /** Whether the server still holds the cursor. */
  get isOpen(): boolean {
    return this.#id !== 0n;
  }

  find(command: Document, signal: AbortSignal): Promise<RawReply> {
    return this.#run(command, signal);
  }

  getMore(options: { batchSize: number; maxTimeMs?: number; signal: AbortSignal }): Promise<RawReply> {
    const command: Document = {
      getMore: Long.fromBigInt(this.#id),
      collection: this.#collection,
      batchSize: options.batchSize,
    };
    if (options.maxTimeMs !== undefined) command['maxTimeMS'] = options.maxTimeMs;
    return this.#run(command, options.signal);
  }

  /** Ends cursor and session; tells the server when it still holds the cursor. Never fails. */
  async close(): Promise<void> {
    if (this.isOpen) {
      const command = { killCursors: this.#collection, cursors: [Long.fromBigInt(this.#id)] };
      this.#id = 0n;
      await this.#db.command(command, { session: this.#session }).catch(() => undefined);
    }
    await this.#session.endSession();
  }

  async #run(command: Document, signal: AbortSignal): Promise<RawReply> {
    const reply = await this.#db.command(command, { raw: true, session: this.#session, signal });
    const parsed = parseCursor(reply['cursor']);
    this.#id = parsed.cursorId;
    return parsed;
  }
}

/** Finds the batch and the id in the raw `cursor` document of a reply. */
export function parseCursor(cursor: unknown): RawReply {
  if (!(cursor instanceof Uint8Array)) throw new MalformedBsonError('a reply has no cursor', 0);
  const bytes = Buffer.isBuffer(cursor)
    ? cursor
    : Buffer.from(cursor.buffer, cursor.byteOffset, cursor.byteLength);
  let arrayAt = 0;
  let cursorId: bigint | undefined;
  for (let at = 4; bytes[at] !== BsonType.endOfDocument;) {
    const type = bytes[at];
    const keyEnd = endOfCString(bytes, at + 1);
    const key = bytes.toString('latin1', at + 1, keyEnd);
    const valueAt = keyEnd + 1;
    if (key === 'id' && type === BsonType.int64) cursorId = bytes.readBigInt64LE(valueAt);
    if ((key === 'firstBatch' || key === 'nextBatch') && type === BsonType.array) arrayAt = valueAt;
    at = valueAt + valueLength(bytes, type, valueAt);
  }
  if (arrayAt === 0) throw new MalformedBsonError('a cursor reply has no batch', 0);
  return { bytes, arrayAt, cursorId: must(cursorId, 'a cursor reply has no id') };
}

/** Whether a batch has no documents. */
export function isEmptyBatch(reply: RawReply): boolean {
  return readUint32(reply.bytes, reply.arrayAt) <= EMPTY_DOCUMENT_BYTES;
}

const EMPTY_DOCUMENT_BYTES = 5;
