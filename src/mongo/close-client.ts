import type { MongoClient } from 'mongodb';
import { sleep } from '../shared/sleep.ts';

/** How long a farewell to a server may take. */
const CLOSE_WAIT_MS = 1000;

/**
 * Closes a client without letting a frozen server or a half-open connection hold us: the driver's close says goodbye to the
 * server's sessions and waits for the answer. After a second it goes on in the background.
 */
export async function closeClient(client: MongoClient, farewell?: () => Promise<void>): Promise<void> {
  const done = new AbortController();
  const closing = (async (): Promise<void> => {
    try {
      await farewell?.();
      await client.close();
    } catch {
      // There is nothing left to lose.
    }
    done.abort();
  })();
  await Promise.race([closing, sleep(CLOSE_WAIT_MS, done.signal)]);
}
