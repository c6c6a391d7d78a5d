import type { Document } from 'mongodb';
import { fieldsOf } from '../bson/fields-of.ts';
import type { CollectionName } from './document-writer.ts';
import type { MongoConnection } from './mongo-connection.ts';
import { MongoCommandError } from './mongo-connection-error.ts';
import { orderedDocument } from './ordered-document.ts';
import { serverErrorCode, ServerErrorCode } from './server-error.ts';

/** A command of an oplog. */
export interface OplogCommand {
  readonly database: string;
  /** `o`. */
  readonly bytes: Buffer;
  /** Its place in the oplog. */
  readonly position: bigint;
}

/** Where it is noted which collections were renamed: the one command that cannot be repeated without knowing. */
const RENAMED = { database: 'oplogue', collection: 'renamed' } as const;

const { namespaceNotFound, namespaceExists, indexNotFound, indexOptionsConflict, indexKeySpecsConflict } =
  ServerErrorCode;

/** Carries commands of an oplog out at a target, so that one that comes again does no harm. */
export class TargetCommands {
  readonly #connection: MongoConnection;
  readonly #warn: (text: string) => void;

  /** @param warn told about what could not be done and is left */
  constructor(connection: MongoConnection, warn: (text: string) => void) {
    this.#connection = connection;
    this.#warn = warn;
  }

  /** @returns false for a command that cannot be carried to another deployment. @throws what the driver throws, MongoCommandError */
  async run(command: OplogCommand): Promise<boolean> {
    const [first] = fieldsOf({ bytes: command.bytes, at: 0 });
    const { database } = command;
    const o = orderedDocument(command.bytes);
    switch (first?.name) {
      case 'create':
        await this.#create(database, o);
        return true;
      case 'drop':
        await this.#try(database, { drop: o['drop'] }, [namespaceNotFound]);
        return true;
      case 'dropDatabase':
        await this.#try(database, { dropDatabase: 1 }, []);
        return true;
      case 'createIndexes':
        await this.#createIndexes(database, o['createIndexes'], [indexOf(o)]);
        return true;
      case 'commitIndexBuild':
        await this.#createIndexes(database, o['commitIndexBuild'], o['indexes']);
        return true;
      // They change nothing by themselves.
      case 'startIndexBuild':
      case 'abortIndexBuild':
        return true;
      case 'dropIndexes':
      case 'deleteIndexes':
      case 'dropIndex':
      case 'deleteIndex':
        await this.#try(database, { dropIndexes: o[first.name], index: o['index'] }, [
          namespaceNotFound,
          indexNotFound,
        ]);
        return true;
      case 'collMod':
      case 'convertToCapped':
      case 'emptycapped':
        await this.#try(database, o, [namespaceNotFound]);
        return true;
      case 'renameCollection':
        await this.#rename(command, o);
        return true;
      default:
        return false;
    }
  }

  async #create(database: string, o: Document): Promise<void> {
    const { idIndex: _idIndex, autoIndexId: _autoIndexId, ...command } = o;
    await this.#try(database, command, [namespaceExists]);
  }

  async #createIndexes(database: string, collection: unknown, indexes: unknown): Promise<void> {
    const command = { createIndexes: collection, indexes };
    const error = await this.#try(database, command, [indexOptionsConflict, indexKeySpecsConflict]);
    if (error === undefined) return;
    this.#warn(`an index of ${database}.${String(collection)} is left as it is at the target: ${error}`);
  }

  /**
   * A rename that comes again finds, under the old name, what the entries before it have made again, and the collection under the new one.
   * That it was done before is noted, or another collection that has been there always could be lost.
   */
  async #rename({ position }: OplogCommand, o: Document): Promise<void> {
    const from = nameOf(o['renameCollection']);
    const to = nameOf(o['to']);
    const _id = `${position} ${o['renameCollection']} ${o['to']}`;
    const dropTarget = o['dropTarget'] !== undefined && o['dropTarget'] !== false;
    const notes = this.#connection.client
      .db(RENAMED.database)
      .collection<{ _id: string }>(RENAMED.collection);
    const wasBegun = (await notes.findOne({ _id }, { readPreference: 'primary' })) !== null;
    if (wasBegun && (await this.#exists(to))) {
      await this.#try(from.database, { drop: from.collection }, [namespaceNotFound]);
      return;
    }
    if (!(await this.#exists(from))) {
      this.#warn(`${o['renameCollection']} is not there, so it is not renamed to ${o['to']}`);
      return;
    }
    if (!dropTarget && (await this.#exists(to))) {
      throw new MongoCommandError({
        code: 'TARGET_COLLECTION_EXISTS',
        message: `Cannot rename ${o['renameCollection']} to ${o['to']}: the target has a collection of that name, which the source had not`,
        hint: 'rename or drop the collection at the target that should not be there',
        retry: 'again',
      });
    }
    if (dropTarget) await this.#try(to.database, { drop: to.collection }, [namespaceNotFound]);
    await notes.updateOne(
      { _id },
      { $set: { at: new Date() } },
      { upsert: true, writeConcern: { w: 'majority' } },
    );
    await this.#try('admin', { renameCollection: o['renameCollection'], to: o['to'] }, []);
  }

  async #exists({ database, collection }: CollectionName): Promise<boolean> {
    const listed = this.#connection.client
      .db(database)
      .listCollections({ name: collection }, { nameOnly: true, readPreference: 'primary' });
    return (await listed.toArray()).length > 0;
  }

  /** @returns the message of an error whose code is among `passed`. @throws all others */
  async #try(database: string, command: Document, passed: readonly number[]): Promise<string | undefined> {
    try {
      await this.#connection.commandOnPrimary(database, {
        ...command,
        writeConcern: { w: 'majority' },
      });
      return undefined;
    } catch (error) {
      if (!passed.includes(serverErrorCode(error) ?? 0)) throw error;
      return error instanceof Error ? error.message : String(error);
    }
  }
}

/** What makes up the index in a `createIndexes` of the oplog: all but the collection. */
function indexOf({ createIndexes: _createIndexes, ...index }: Document): Document {
  return index;
}

function nameOf(namespace: unknown): CollectionName {
  const text = String(namespace);
  const dot = text.indexOf('.');
  return { database: text.slice(0, dot), collection: text.slice(dot + 1) };
}
