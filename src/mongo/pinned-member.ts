import type { Document, MongoClient } from 'mongodb';
import { closeClient } from './close-client.ts';
import { RawCursor, type RawReply } from './raw-cursor.ts';

/** A connection to exactly one member of a replica set; holds at most one cursor at a time. */
export class PinnedMember implements AsyncDisposable {
  /** `host:port` as the replica set knows it. */
  readonly host: string;
  readonly #client: MongoClient;
  #cursor: RawCursor | undefined;

  constructor(client: MongoClient, host: string) {
    this.#client = client;
    this.host = host;
  }

  command(database: string, command: Document, signal: AbortSignal): Promise<Document> {
    return this.#client.db(database).command(command, { signal });
  }

  /**
   * Runs a `find` whose replies stay raw bytes.
   * @returns the cursor, to be closed by the caller or with this connection, and its first reply.
   */
  async find(
    database: string,
    command: Document & { find: string },
    signal: AbortSignal,
  ): Promise<{ cursor: RawCursor; reply: RawReply }> {
    // A cursor belongs to the session that made it. Causal consistency would add afterClusterTime to reads.
    const session = this.#client.startSession({ causalConsistency: false });
    const cursor = new RawCursor({
      db: this.#client.db(database),
      collection: command.find,
      session,
    });
    this.#cursor = cursor;
    const reply = await cursor.find(command, signal);
    return { cursor, reply };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeClient(this.#client, async () => this.#cursor?.close());
  }
}
