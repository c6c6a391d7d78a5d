import { Connection, fetchV15, metadataV12 } from '@platformatic/kafka';
import { AbortedTransactions } from '../../../src/tunnel/kafka/receive/aborted-transactions.ts';
import { visitRecords, type TopicRecord } from '../../../testbed/read-topic.ts';

const READ_COMMITTED = 1;
const NO_SESSION = { id: 0, epoch: -1 };
const FETCH_BYTES = 2 * 1024 * 1024;
/** How long the broker holds a question when nothing has come. */
const WAIT_MS = 200;
const CONNECT_TIMEOUT_MS = 2000;
const ANSWER_TIMEOUT_MS = 5000;

/**
 * Reads a topic of a single broker as a read_committed consumer does, over one connection that it keeps: what comes is seen as soon as it
 * is committed, and the reading costs next to nothing.
 */
export class TopicTail {
  readonly #options: { readonly brokers: string; readonly topic: string };
  readonly #next = new Map<number, bigint>();
  #connection: Connection | undefined;
  #topicId = '';

  constructor(options: { brokers: string; topic: string }) {
    this.#options = options;
  }

  /** Visits what has come since the last time; waits a moment for it. @throws when the broker is away; then call it again */
  async read(visit: (record: TopicRecord) => void): Promise<void> {
    try {
      const connection = (this.#connection ??= await this.#connect());
      await this.#fetch(connection, visit);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close().catch(() => undefined);
  }

  async #connect(): Promise<Connection> {
    const { brokers, topic } = this.#options;
    const [host, port] = brokers.split(':');
    const connection = new Connection('oplogue-tail', {
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: ANSWER_TIMEOUT_MS,
    });
    // Without a listener the event itself would end the process.
    connection.on('error', () => undefined);
    await connection.connect(host ?? '', Number(port));
    try {
      const { topics } = await metadataV12.api.async(connection, [topic], false, false);
      const [found] = topics;
      if (found === undefined) throw new Error(`There is no topic ${topic}`);
      this.#topicId = found.topicId;
      for (const { partitionIndex } of found.partitions) {
        if (!this.#next.has(partitionIndex)) this.#next.set(partitionIndex, 0n);
      }
      return connection;
    } catch (error) {
      connection.close().catch(() => undefined);
      throw error;
    }
  }

  async #fetch(connection: Connection, visit: (record: TopicRecord) => void): Promise<void> {
    const wanted = [...this.#next].map(([partition, fetchOffset]) => ({
      partition,
      currentLeaderEpoch: -1,
      fetchOffset,
      lastFetchedEpoch: -1,
      partitionMaxBytes: FETCH_BYTES,
    }));
    const answer = await fetchV15.api.async(
      connection,
      WAIT_MS,
      1,
      FETCH_BYTES,
      READ_COMMITTED,
      NO_SESSION.id,
      NO_SESSION.epoch,
      [{ topicId: this.#topicId, partitions: wanted }],
      [],
      '',
    );
    for (const found of answer.responses[0]?.partitions ?? []) {
      const partition = found.partitionIndex;
      const from = this.#next.get(partition) ?? 0n;
      const aborted = new AbortedTransactions(found.abortedTransactions);
      for (const batch of found.records ?? []) {
        if (!aborted.hides(batch, () => batch.records[0]?.key))
          visitRecords(batch, { partition, from, visit });
        const end = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
        if (end > (this.#next.get(partition) ?? 0n)) this.#next.set(partition, end);
      }
    }
  }
}
