import {
  MongoClient,
  ReadPreference,
  type Document,
  type MongoClientOptions,
  type TopologyDescription,
} from 'mongodb';
import { must } from '../shared/assert.ts';
import { hedged } from '../shared/hedged.ts';
import { maskUrl } from '../shared/mask-url.ts';
import { settledOrAborted } from '../shared/settled-or-aborted.ts';
import { closeClient } from './close-client.ts';
import { modeAllows, readPreferenceOf, type ConnectMode } from './connect-mode.ts';
import { directMongoUrl, isSrvUrl } from './mongo-url.ts';
import { PinnedMember } from './pinned-member.ts';
import { serverErrorCode, ServerErrorCode } from './server-error.ts';
import type { Topology } from './topology.ts';

export interface MongoConnectionOptions {
  readonly client: MongoClient;
  readonly clientOptions: MongoClientOptions;
  readonly url: string;
  readonly connectMode: ConnectMode;
  readonly purpose: string;
}

/** A connection to one deployment; {@link connectMongo} makes it. */
export class MongoConnection implements AsyncDisposable {
  readonly client: MongoClient;
  readonly connectMode: ConnectMode;
  readonly purpose: string;
  /** The URL without its password. */
  readonly maskedUrl: string;
  readonly #url: string;
  readonly #clientOptions: MongoClientOptions;
  #topology: Topology | undefined;
  #members: TopologyDescription | undefined;

  constructor(options: MongoConnectionOptions) {
    this.client = options.client;
    this.connectMode = options.connectMode;
    this.purpose = options.purpose;
    this.maskedUrl = maskUrl(options.url);
    this.#url = options.url;
    this.#clientOptions = options.clientOptions;
    this.client.on('topologyDescriptionChanged', (event) => {
      this.#members = event.newDescription;
    });
  }

  /** What is there, as seen when the connection was made. */
  get topology(): Topology {
    return must(this.#topology, 'the topology is asked for before the connection is made');
  }

  set topology(topology: Topology) {
    this.#topology = topology;
  }

  /** Runs a command on a member that the connect mode chooses. */
  command(database: string, command: Document, options: { signal?: AbortSignal } = {}): Promise<Document> {
    return this.client
      .db(database)
      .command(command, { readPreference: readPreferenceOf(this.connectMode), ...options });
  }

  /** Runs a command on the primary. */
  commandOnPrimary(
    database: string,
    command: Document,
    options: { signal?: AbortSignal } = {},
  ): Promise<Document> {
    return this.client.db(database).command(command, { readPreference: ReadPreference.primary, ...options });
  }

  /** The answer of a member that the connect mode chooses. Servers before 4.4.2 know `hello` by its old name only. */
  async hello(options: { signal?: AbortSignal } = {}): Promise<Document> {
    try {
      return await this.command('admin', { hello: 1 }, options);
    } catch (error) {
      if (serverErrorCode(error) !== ServerErrorCode.commandNotFound) throw error;
      return await this.command('admin', { isMaster: 1 }, options);
    }
  }

  /**
   * A connection of its own to exactly one member, chosen by the connect mode: a cursor lives on one member, and a command
   * sent by read preference might reach another.
   */
  async pinMember(options: { signal: AbortSignal; replyTimeoutMs: number }): Promise<PinnedMember> {
    // The pooled connection may have died in silence, as the cursor's has, which is why a member is sought.
    const hello = await hedged(() => this.hello({ signal: options.signal }), HELLO_LATE_MS);
    const host = typeof hello['me'] === 'string' && !this.#isDirect ? hello['me'].toLowerCase() : undefined;
    const credentials = this.client.options.credentials;
    const client = new MongoClient(host === undefined ? this.#url : directMongoUrl(this.#url, host), {
      ...this.#clientOptions,
      // What a mongodb+srv URL says by its scheme and its DNS record.
      ...(isSrvUrl(this.#url) ? { tls: this.client.options.tls } : {}),
      ...(isSrvUrl(this.#url) && credentials !== undefined ? { authSource: credentials.source } : {}),
      directConnection: true,
      readPreference: ReadPreference.nearest,
      appName: `oplogue/${this.purpose}-cursor`,
      maxPoolSize: PINNED_POOL_SIZE,
      socketTimeoutMS: options.replyTimeoutMs,
      serverSelectionTimeoutMS: Math.max(PINNED_SELECTION_MIN_MS, options.replyTimeoutMs),
    });
    try {
      await settledOrAborted(connected(client), options.signal);
      options.signal.throwIfAborted();
    } catch (error) {
      await closeClient(client);
      throw error;
    }
    return new PinnedMember(client, host ?? this.client.options.hosts[0]?.toString() ?? '');
  }

  /** Whether the connect mode still allows to read `member`, as far as is known; false asks to choose anew. */
  mayRead(member: PinnedMember): boolean {
    const description = this.#members?.servers.get(member.host);
    if (this.#isDirect || this.#members === undefined) return true;
    if (description === undefined || modeAllows(this.connectMode, description.type)) return true;
    // Only worth leaving when there is somewhere to go.
    return ![...this.#members.servers.values()].some(
      (other) => other.type !== 'Unknown' && modeAllows(this.connectMode, other.type),
    );
  }

  get #isDirect(): boolean {
    return this.client.options.directConnection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await closeClient(this.client);
  }
}

async function connected(client: MongoClient): Promise<void> {
  await client.connect();
}

/** The member was chosen because it answers; when it does not any more, another is to be chosen. */
const PINNED_SELECTION_MIN_MS = 3000;
const HELLO_LATE_MS = 1000;
/** One connection waits for the oplog, the other asks for its window. */
const PINNED_POOL_SIZE = 2;
