import { MongoClient, type MongoClientOptions } from 'mongodb';
import { closeClient } from './close-client.ts';
import { readPreferenceOf, type ConnectMode } from './connect-mode.ts';
import { connectionError } from './mongo-connection-error.ts';
import { MongoConnection } from './mongo-connection.ts';
import { mongoTlsOptions, type MongoTlsOptions } from './mongo-tls.ts';
import { normalizeMongoUrl } from './mongo-url.ts';
import { topologyOf } from './topology.ts';

export interface ConnectMongoOptions {
  readonly url: string;
  readonly connectMode: ConnectMode;
  readonly tls?: MongoTlsOptions | undefined;
  /** What the connection is for, in errors and in the server's log: `source`, `checkpoint`. */
  readonly purpose: string;
  /** Commands at once. Default 4. */
  readonly poolSize?: number;
  /** How long to look for a usable member. Default 10 s. */
  readonly serverSelectionTimeoutMs?: number;
  /** A socket that is silent for so long in a command is dead. Default 60 s. */
  readonly socketTimeoutMs?: number;
  /** A connection that has rested for longer is not used again. Default: there is no limit. */
  readonly maxIdleTimeMs?: number;
}

const DEFAULT_POOL_SIZE = 4;
const DEFAULT_SELECTION_TIMEOUT_MS = 10_000;
const DEFAULT_SOCKET_TIMEOUT_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5000;

/**
 * Connects to MongoDB: the only door to the driver. Pings, and learns what is there.
 * Integers of 64 bits come as bigint.
 * @throws MongoConnectionError naming the cause (unreachable, wrong password, TLS) and its cure, with the password masked.
 */
export async function connectMongo(options: ConnectMongoOptions): Promise<MongoConnection> {
  const url = normalizeMongoUrl(options.url);
  let client: MongoClient | undefined;
  try {
    const clientOptions = clientOptionsOf(options);
    client = new MongoClient(url, clientOptions);
    const connection = new MongoConnection({
      client,
      clientOptions,
      url,
      connectMode: options.connectMode,
      purpose: options.purpose,
    });
    await client.connect();
    const hello = await connection.hello();
    const buildInfo = await connection.command('admin', { buildInfo: 1 });
    connection.topology = topologyOf(hello, buildInfo);
    return connection;
  } catch (error) {
    if (client !== undefined) await closeClient(client);
    throw connectionError(error, { url: options.url, purpose: options.purpose });
  }
}

function clientOptionsOf(options: ConnectMongoOptions): MongoClientOptions {
  return {
    ...mongoTlsOptions(options.tls),
    ...(options.connectMode === 'standalone' ? { directConnection: true } : {}),
    appName: `oplogue/${options.purpose}`,
    readPreference: readPreferenceOf(options.connectMode),
    maxPoolSize: options.poolSize ?? DEFAULT_POOL_SIZE,
    serverSelectionTimeoutMS: options.serverSelectionTimeoutMs ?? DEFAULT_SELECTION_TIMEOUT_MS,
    socketTimeoutMS: options.socketTimeoutMs ?? DEFAULT_SOCKET_TIMEOUT_MS,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    ...(options.maxIdleTimeMs === undefined ? {} : { maxIdleTimeMS: options.maxIdleTimeMs }),
    useBigInt64: true,
  };
}
