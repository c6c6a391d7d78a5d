import { ApiCheckpointStore } from '../checkpoint/api-checkpoint-store.ts';
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { DatabaseCheckpointStore } from '../checkpoint/database-checkpoint-store.ts';
import type { CheckpointConfig } from '../config/config.ts';
import { connectMongo } from '../mongo/connect-mongo.ts';

/** Longer than the store may wait for a majority. */
const SOCKET_TIMEOUT_MS = 15_000;

/** The store that `checkpoint.storage` asks for; connected. @throws MongoConnectionError */
export async function createCheckpointStore(config: CheckpointConfig): Promise<CheckpointStore> {
  if (config.storage === 'api') return new ApiCheckpointStore({ url: config.collection });
  const connection = await connectMongo({
    url: config.url,
    connectMode: 'primary',
    tls: config.tls,
    purpose: 'checkpoint',
    socketTimeoutMs: SOCKET_TIMEOUT_MS,
  });
  return new DatabaseCheckpointStore({
    connection,
    database: config.db,
    collection: config.collection,
  });
}
