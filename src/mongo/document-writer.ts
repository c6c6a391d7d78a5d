import type { Document } from 'mongodb';
import { BsonType } from '../bson/bson-type.ts';
import { fieldsOf } from '../bson/fields-of.ts';
import { documentField, makeDocument } from '../bson/make-document.ts';
import { readInt32 } from '../bson/read-value.ts';
import type { MongoConnection } from './mongo-connection.ts';
import { MongoCommandError } from './mongo-connection-error.ts';
import { orderedDocument } from './ordered-document.ts';
import { rawDocuments } from './raw-command.ts';
import { ServerErrorCode } from './server-error.ts';

export interface CollectionName {
  readonly database: string;
  readonly collection: string;
}

/** Of one command: the server takes 48 MB and 100 000 writes. */
const COMMAND_BYTES_MAX = 16 * 1024 * 1024;
const COMMAND_WRITES_MAX = 10_000;
/** Ids of one find: a query has at most 16 MB. */
const FIND_BYTES_MAX = 4 * 1024 * 1024;
const MAJORITY = { w: 'majority' } as const;

/** Reads and writes whole documents of a target as the bytes that they are, by `_id`, on the primary, with write concern majority. */
export class DocumentWriter {
  readonly #connection: MongoConnection;

  constructor(connection: MongoConnection) {
    this.#connection = connection;
  }

  /** @param ids documents that hold nothing but `_id` @returns those documents that exist */
  async find(name: CollectionName, ids: readonly Buffer[]): Promise<Buffer[]> {
    const collection = this.#connection.client.db(name.database).collection(name.collection);
    const found: Buffer[] = [];
    for (const part of parts(ids, FIND_BYTES_MAX)) {
      const wanted = part.map((id) => orderedDocument(id)['_id']);
      const cursor = collection.find({ _id: { $in: wanted } }, { raw: true, readPreference: 'primary' });
      for await (const document of cursor) found.push(bufferOf(document));
    }
    return found;
  }

  /** Removes the documents with these ids; those that are gone already do not matter. */
  async remove(name: CollectionName, ids: readonly Buffer[], signal: AbortSignal): Promise<void> {
    const deletes = ids.map((id) => makeDocument([documentField('q', id), LIMIT_ONE]));
    for (const part of parts(deletes, COMMAND_BYTES_MAX)) {
      await this.#run(
        name,
        { delete: name.collection, deletes: rawDocuments('deletes', part), ordered: true },
        signal,
      );
    }
  }

  /** Puts whole documents in the place of those with the same `_id`, or adds them. */
  async put(
    name: CollectionName,
    documents: ReadonlyArray<{ id: Buffer; document: Buffer }>,
    signal: AbortSignal,
  ): Promise<void> {
    const updates = documents.map(({ id, document }) =>
      makeDocument([documentField('q', id), replacementOf(document), UPSERT]),
    );
    await this.#update(name, updates, signal);
  }

  /**
   * Updates documents with operators such as `$set`, in this order.
   * @returns how many of them do not exist
   */
  async update(
    name: CollectionName,
    changes: ReadonlyArray<{ id: Buffer; operators: Buffer }>,
    signal: AbortSignal,
  ): Promise<number> {
    const updates = changes.map(({ id, operators }) =>
      makeDocument([documentField('q', id), documentField('u', operators)]),
    );
    return changes.length - (await this.#update(name, updates, signal));
  }

  /** @returns how many documents were matched or added */
  async #update(name: CollectionName, updates: readonly Buffer[], signal: AbortSignal): Promise<number> {
    let count = 0;
    for (const part of parts(updates, COMMAND_BYTES_MAX)) {
      const command = {
        update: name.collection,
        updates: rawDocuments('updates', part),
        ordered: true,
        // The source's rules held there.
        bypassDocumentValidation: true,
      };
      count += Number((await this.#run(name, command, signal))['n']);
    }
    return count;
  }

  /** @throws MongoCommandError for the first write that fails, and what the driver throws */
  async #run(
    { database, collection }: CollectionName,
    command: Document,
    signal: AbortSignal,
  ): Promise<Document> {
    const whole = { ...command, writeConcern: MAJORITY };
    const reply = await this.#connection.commandOnPrimary(database, whole, { signal });
    const errors: Document[] = reply['writeErrors'] ?? [];
    const failure: Document | undefined = errors[0] ?? reply['writeConcernError'];
    if (failure === undefined) return reply;
    const code = Number(failure['code']);
    const where = `${database}.${collection} of ${this.#connection.maskedUrl}`;
    throw new MongoCommandError({
      ...(code === ServerErrorCode.duplicateKey ? DUPLICATE : { code: 'MONGO_COMMAND' }),
      message: `Cannot write to ${where}: ${String(failure['errmsg'])} (code ${code})`,
      retry: 'again',
    });
  }
}

const DUPLICATE = {
  code: 'TARGET_DUPLICATE_KEY',
  hint: 'another document of the target has the same value in a unique index: it was not written by us, or entries come again after a restart; drop that index, or remove that document',
} as const;

function* parts(documents: readonly Buffer[], bytesMax: number): Generator<readonly Buffer[]> {
  let from = 0;
  let bytes = 0;
  for (let at = 0; at < documents.length; at++) {
    const { length } = documents[at];
    if (at > from && (bytes + length > bytesMax || at - from >= COMMAND_WRITES_MAX)) {
      yield documents.slice(from, at);
      from = at;
      bytes = 0;
    }
    bytes += length;
  }
  if (from < documents.length) yield documents.slice(from);
}

function bufferOf(value: unknown): Buffer {
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  throw new TypeError('a raw find gives no bytes');
}

const LIMIT_ONE = Buffer.from('\u0010limit\0\u0001\0\0\0', 'latin1');
const UPSERT = Buffer.from('\u0008upsert\0\u0001', 'latin1');

/**
 * The field `u` that makes a document this one. The server takes `$` at the front of a name for an operator, and puts the time into an
 * empty timestamp; neither where the document is a literal.
 */
function replacementOf(document: Buffer): Buffer {
  if (!needsLiteral(document)) return documentField('u', document);
  const literal = makeDocument([documentField('$literal', document)]);
  const stage = makeDocument([documentField('$replaceWith', literal)]);
  return documentField('u', makeDocument([documentField('0', stage)]), BsonType.array);
}

function needsLiteral(document: Buffer): boolean {
  for (const { type, name, valueAt } of fieldsOf({ bytes: document, at: 0 })) {
    if (name.startsWith('$')) return true;
    const isTimestamp = type === BsonType.timestamp;
    if (isTimestamp && readInt32(document, valueAt) === 0 && readInt32(document, valueAt + 4) === 0)
      return true;
  }
  return false;
}
