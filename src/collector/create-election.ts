import type { Config } from '../config/config.ts';
import { Election } from '../election/election.ts';
import { connectMongo } from '../mongo/connect-mongo.ts';
import type { Logger } from '../shared/logger.ts';

/** A request of the election that is not answered for so long tells nothing in time any more. */
const SOCKET_TIMEOUT_MS = 3000;
/** While it is away, it is looked for. */
const SELECTION_TIMEOUT_MS = 5000;

/** The election of `master_quorum = true`, connected to where checkpoints are kept. @throws MongoConnectionError */
export async function createElection(config: Config, logger: Logger): Promise<Election> {
  const { url, tls } = config.checkpoint;
  const connection = await connectMongo({
    url,
    connectMode: 'primary',
    tls,
    purpose: 'election',
    socketTimeoutMs: SOCKET_TIMEOUT_MS,
    serverSelectionTimeoutMs: SELECTION_TIMEOUT_MS,
  });
  return new Election({ connection, jobId: config.id, logger });
}
