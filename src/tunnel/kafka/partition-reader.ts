import type { RecordsBatch } from '@platformatic/kafka';
import { Backoff } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/logger.ts';
import { sleep } from '../../shared/sleep.ts';
import { AbortedTransactions } from './aborted-transactions.ts';
import { askBroker } from './broker-api.ts';
import { formatBrokerAddress } from './broker-address.ts';
import type { BrokerConnection } from './broker-connection.ts';
import { client } from './client.ts';
import { explainConnectError } from './connect-error.ts';
import { NotReadyError, type KafkaCluster } from './kafka-cluster.ts';
import { describeCode, fatalError, fateOf, KafkaCode, KafkaTunnelError } from './kafka-error.ts';

const apis = {
  listOffsets: {
    name: 'ListOffsets',
    versions: [client.listOffsetsV7, client.listOffsetsV6, client.listOffsetsV5],
  },
  fetch: { name: 'Fetch', versions: [client.fetchV12] },
} as const;

const EARLIEST = -2n;
const READ_COMMITTED = 1;
const CONSUMER = -1;
const NO_SESSION = { id: 0, epoch: -1 };
/** A record that is larger comes all the same, alone. */
const FETCH_BYTES = 1024 * 1024;
const FETCH_WAIT_MS = 500;
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 5000;

export interface PartitionReaderOptions {
  readonly cluster: KafkaCluster;
  readonly topic: string;
  readonly partition: number;
  readonly logger: Logger;
  readonly onTrouble: (trouble: string | undefined) => void;
  /** Given one record after the other; the next is not read before it resolves. `value` is null for a tombstone. */
  readonly visit: (offset: bigint, value: Buffer | null) => Promise<void>;
}

type Answer = ReturnType<typeof client.fetchV12.parseResponse>['responses'][number]['partitions'][number];

/** Reads one partition as a read_committed consumer, over a connection of its own, across all passing trouble. */
export class PartitionReader {
  readonly #o: PartitionReaderOptions;
  #offset = 0n;

  constructor(options: PartitionReaderOptions) {
    this.#o = options;
  }

  /**
   * Reads on until the signal aborts.
   * @param from undefined: from the oldest record
   * @throws KafkaTunnelError for what only a person can cure, and what `visit` throws
   */
  async run(from: bigint | undefined, signal: AbortSignal): Promise<void> {
    const backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    let isPlaced = from !== undefined;
    this.#offset = from ?? 0n;
    while (!signal.aborted) {
      let connection: BrokerConnection | undefined;
      try {
        connection = await this.#connect(signal);
        if (!isPlaced) this.#offset = await this.#oldest(connection);
        isPlaced = true;
        while (!signal.aborted) {
          await this.#readOnce(connection, signal);
          backoff.reset();
          this.#o.onTrouble(undefined);
        }
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) throw error;
        this.#o.onTrouble(error.message);
        this.#o.logger.debug({ trouble: error.message }, `partition ${this.#o.partition} is not read`);
        await sleep(backoff.nextMs(), signal);
      } finally {
        connection?.close();
      }
    }
  }

  async #connect(signal: AbortSignal): Promise<BrokerConnection> {
    const { cluster, topic, partition } = this.#o;
    const { leaders, errorCode } = await cluster.topic(topic, signal);
    this.#check(errorCode);
    const address = cluster.addressOf(leaders[partition] ?? -1);
    if (address === undefined) {
      throw new NotReadyError(`Topic ${topic}: partition ${partition} has no leader now`, {
        hasAnswered: true,
      });
    }
    try {
      return await cluster.connect(address, signal);
    } catch (error) {
      const explained = explainConnectError(error, formatBrokerAddress(address));
      if (typeof explained !== 'string') throw explained;
      throw new NotReadyError(explained, { hasAnswered: false });
    }
  }

  async #oldest(connection: BrokerConnection): Promise<bigint> {
    const { topic, partition } = this.#o;
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp: EARLIEST }];
    const answer = await this.#ask(
      askBroker(connection, apis.listOffsets, CONSUMER, READ_COMMITTED, [{ name: topic, partitions }]),
      connection,
    );
    const { errorCode, offset } = answer.topics[0].partitions[0];
    this.#check(errorCode);
    return offset;
  }

  async #readOnce(connection: BrokerConnection, signal: AbortSignal): Promise<void> {
    const answer = await this.#fetch(connection);
    if (answer.errorCode === KafkaCode.offsetOutOfRange) {
      const oldest = await this.#oldest(connection);
      const { topic, partition, logger } = this.#o;
      logger.error(
        `Topic ${topic}, partition ${partition}: offset ${this.#offset} is not there any more; what lay before ${oldest} was deleted by its retention, or the topic was made anew`,
      );
      this.#offset = oldest;
      return;
    }
    this.#check(answer.errorCode);
    const aborted = new AbortedTransactions(answer);
    for (const batch of answer.records ?? []) {
      if (!aborted.hides(batch) && !(await this.#visit(batch, signal))) return;
      const next = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      if (next > this.#offset) this.#offset = next;
    }
  }

  /** @returns false when it is time to stop */
  async #visit(batch: RecordsBatch, signal: AbortSignal): Promise<boolean> {
    for (const { offsetDelta, value } of batch.records) {
      const offset = batch.firstOffset + BigInt(offsetDelta);
      if (offset < this.#offset) continue;
      if (signal.aborted) return false;
      await this.#o.visit(offset, value);
      this.#offset = offset + 1n;
    }
    return true;
  }

  async #fetch(connection: BrokerConnection): Promise<Answer> {
    const { topic, partition } = this.#o;
    const wanted = { partition, currentLeaderEpoch: -1, fetchOffset: this.#offset, lastFetchedEpoch: -1 };
    const answer = await this.#ask(
      askBroker(
        connection,
        apis.fetch,
        FETCH_WAIT_MS,
        1,
        FETCH_BYTES,
        READ_COMMITTED,
        NO_SESSION.id,
        NO_SESSION.epoch,
        [{ topicId: topic, partitions: [{ ...wanted, partitionMaxBytes: FETCH_BYTES }] }],
        [],
        '',
      ),
      connection,
    );
    this.#check(answer.errorCode);
    const found = answer.responses[0]?.partitions[0];
    if (found === undefined) throw new NotReadyError(`Topic ${topic}: no answer`, { hasAnswered: true });
    return found;
  }

  async #ask<T>(answer: Promise<T>, { address }: BrokerConnection): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      const explained = explainConnectError(error, formatBrokerAddress(address));
      if (typeof explained !== 'string') throw explained;
      throw new NotReadyError(explained, { hasAnswered: false });
    }
  }

  #check(code: number): void {
    if (code === KafkaCode.none) return;
    const where = `Topic ${this.#o.topic}`;
    if (fateOf(code) === 'fatal') throw fatalError(code, where);
    throw new NotReadyError(`${where}: ${describeCode(code)}`, { hasAnswered: true });
  }
}

function isPassing(error: unknown): error is NotReadyError {
  return error instanceof NotReadyError && !(error instanceof KafkaTunnelError);
}
