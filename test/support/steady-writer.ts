import { MongoClient } from 'mongodb';
import { sleep } from '../../src/shared/sleep.ts';

/** Inserts documents one after another, majority-acknowledged, through elections and restarts, until it is stopped. */
export class SteadyWriter {
  /** How many inserts were acknowledged. */
  acknowledged = 0;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(url: string) {
    this.#ended = this.#write(url);
  }

  /** Resolves when the last insert has been answered. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #write(url: string): Promise<void> {
    const client = new MongoClient(url, { serverSelectionTimeoutMS: 2000, socketTimeoutMS: 5000 });
    const collection = client.db('writer').collection('steady');
    for (let n = 0; !this.#stop.signal.aborted; n++) {
      try {
        await collection.insertOne({ n, text: 'x'.repeat(n % 500) }, { writeConcern: { w: 'majority' } });
        this.acknowledged++;
      } catch {
        // An election or a dead server: what was not acknowledged does not count.
        await sleep(50, this.#stop.signal);
      }
      if (n % 20 === 0) await sleep(5, this.#stop.signal);
    }
    await client.close();
  }
}
