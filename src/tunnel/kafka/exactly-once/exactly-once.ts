import { randomUUID } from 'node:crypto';
import { must } from '../../../shared/assert.ts';
import { Backoff } from '../../../shared/backoff.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import { deadlineSignal } from '../../../shared/deadline-signal.ts';
import { describeError } from '../../../shared/errors.ts';
import { failpoint } from '../../../shared/failpoint.ts';
import type { Logger } from '../../../shared/logger.ts';
import { settledOrAborted } from '../../../shared/settled-or-aborted.ts';
import { sleep } from '../../../shared/sleep.ts';
import type { Frontier } from '../../tunnel.ts';
import { BatchPreparer } from '../send/batch-preparer.ts';
import { CheckpointTopic } from './checkpoint-topic.ts';
import { frontierKey, frontierValue, type FrontierOwner, type FrontierRecord } from './frontier-record.ts';
import type { Foreknowledge } from '../client/foreknowledge.ts';
import type { KafkaCluster, TopicMetadata } from '../client/kafka-cluster.ts';
import { KafkaTunnelError, transactionLost } from '../client/kafka-error.ts';
import { KafkaTransactions } from './kafka-transactions.ts';
import type { ExactlyOnceOptions } from '../send/kafka-tunnel-options.ts';
import { KafkaTunnelStats } from '../send/kafka-tunnel-stats.ts';
import { partitionOfKey } from '../client/murmur2.ts';
import type { ProducerIdentity } from '../client/producer-identity.ts';
import type { PartitionHost } from '../send/partition-host.ts';
import { PartitionWriter } from '../send/partition-writer.ts';
import { ProduceSender } from '../send/produce-sender.ts';
import { FencedError, TransactionCoordinator } from './transaction-coordinator.ts';

/** By which a broker knows the one who may write for a job's source. */
export function transactionalIdOf({ id, source }: { id: string; source: string }): string {
  return `oplogue-${id}-${source}`;
}

/** The tunnel, as far as transactions need it. */
export interface ExactlyOnceHost {
  readonly options: ExactlyOnceOptions;
  readonly topicCreation: { readonly enabled: boolean; readonly replicationFactor: number | undefined };
  /** Topic of the messages, and its partitions. */
  readonly topic: string;
  readonly partitions: readonly PartitionWriter[];
  readonly logger: Logger;
  readonly pool: PartitionHost['pool'];
  readonly brokerTimeoutMs: number;
  /** As of {@link ProduceSenderOptions}. */
  readonly mayWrite: (() => boolean) | undefined;
  readonly lost: AbortSignal | undefined;
  hold(bytes: number): void;
  sendAll(): void;
  ready(partition: PartitionWriter): void;
  onCommitted(): void;
  fail(error: unknown): void;
}

/** The broker aborts a transaction that is open for longer. */
const TRANSACTION_TIMEOUT_MS = 60_000;
/** A new owner needs a moment between fencing us and writing its name. */
const FENCE_SETTLE_MS = 1000;
const FENCE_BACKOFF_MAX_MS = 2000;
/** How long a stop tries to abort what is open, so that consumers need not wait for the broker's patience to end. */
const ABORT_MAX_MS = 2000;
const FRONTIER_BATCH_BYTES = 1024 * 1024;

/**
 * What makes a Kafka tunnel deliver exactly once: taking over from a former owner, the transactions, and finding out who owns the source
 * when we are fenced (docs/decisions/0007).
 */
export class ExactlyOnce {
  readonly transactionalId: string;
  readonly #host: ExactlyOnceHost;
  readonly #owner: FrontierOwner;
  readonly #closed = new AbortController();
  #topic: CheckpointTopic | undefined;
  #coordinator: TransactionCoordinator | undefined;
  #taken:
    { producer: ProducerIdentity; metadata: TopicMetadata; record: FrontierRecord | undefined } | undefined;
  #sender: ProduceSender | undefined;
  #checkpoint: PartitionWriter | undefined;
  #transactions: KafkaTransactions | undefined;
  #isFenced = false;

  constructor(host: ExactlyOnceHost) {
    this.#host = host;
    const { id, source } = host.options;
    this.#owner = { id, source, run: randomUUID() };
    this.transactionalId = transactionalIdOf({ id, source });
  }

  /** The transactions, once the tunnel is open. */
  get transactions(): KafkaTransactions {
    return must(this.#transactions, 'transactions are asked for before the tunnel is open');
  }

  get trouble(): string | undefined {
    return this.#sender?.trouble ?? this.#coordinator?.trouble;
  }

  /**
   * Fences the former owner and reads how far it has come.
   * @param known what need not be asked
   * @returns the producer that all batches are sent by
   * @throws NotReadyError when it may work later; KafkaTunnelError for what only a person can cure
   */
  async takeOver(
    cluster: KafkaCluster,
    known: Foreknowledge,
    signal: AbortSignal,
  ): Promise<ProducerIdentity> {
    const { options, topicCreation, logger } = this.#host;
    this.#topic = new CheckpointTopic({ name: options.checkpointTopic, cluster, logger });
    const metadata = await this.#topic.prepare(topicCreation, known, signal);
    this.#coordinator ??= new TransactionCoordinator({
      cluster,
      transactionalId: this.transactionalId,
      timeoutMs: options.transactionTimeoutMs ?? TRANSACTION_TIMEOUT_MS,
      logger,
    });
    const coordinator = known.coordinators.get(this.transactionalId);
    const producer = await this.#coordinator.takeOver(signal, coordinator);
    failpoint('in-kafka-takeover');
    const record = await this.#topic.read(this.#owner, signal, metadata);
    this.#taken = { producer, metadata, record };
    return producer;
  }

  /** Makes what the transactions consist of. Call it after {@link takeOver}, and `transactions.claim` when the partitions are there. */
  begin(cluster: KafkaCluster): void {
    const { options, logger, brokerTimeoutMs, topic, partitions, mayWrite, lost } = this.#host;
    const { producer, metadata, record } = must(this.#taken, 'transactions begin before the takeover');
    const index = partitionOfKey(this.#key, this.#key.length, metadata.leaders.length);
    const checkpoint = new PartitionWriter(index, this.#partitionHost());
    checkpoint.renumber(producer);
    this.#checkpoint = checkpoint;
    const { checkpointTopic, transactionIntervalMs: intervalMs } = options;
    this.#transactions = new KafkaTransactions({
      coordinator: must(this.#coordinator, 'transactions begin without a coordinator'),
      partitions,
      checkpoint,
      topic,
      checkpointTopic,
      intervalMs,
      committed: record?.frontier,
      sendAll: () => this.#host.sendAll(),
      writeFrontier: (frontier) => this.#writeFrontier(checkpoint, frontier),
      ready: (partition) => {
        if (partition === checkpoint) this.#sender?.ready(partition, false);
        else this.#host.ready(partition);
      },
      onCommitted: () => this.#host.onCommitted(),
      fail: (error) => this.#onError(error),
    });
    this.#sender = new ProduceSender(
      {
        cluster,
        topic: checkpointTopic,
        partitions: [checkpoint],
        stats: new KafkaTunnelStats(),
        logger,
        brokerTimeoutMs,
        ...{ mayWrite, lost },
        fail: (error) => this.#onError(error),
        transactional: this.senderOptions,
      },
      metadata,
    );
  }

  /** For the senders of batches that belong to our transactions. */
  get senderOptions(): { id: string; fenced: (trouble: string) => void } {
    return { id: this.transactionalId, fenced: (trouble) => this.#onError(new FencedError(trouble)) };
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#transactions?.stop();
    this.#sender?.stop();
  }

  /** Aborts what is open, if the broker answers soon, and lets everything go. */
  async dispose(): Promise<void> {
    this.stop();
    this.#closed.abort();
    this.#checkpoint?.dispose();
    try {
      if (this.#transactions?.isOpen === true && !this.#isFenced) {
        const late = deadlineSignal(ABORT_MAX_MS);
        await settledOrAborted(this.#coordinator?.end('abort', late) ?? Promise.resolve(), late);
      }
    } catch (error) {
      this.#host.logger.debug(`The open transaction is left to the broker: ${describeError(error)}`);
    } finally {
      this.#coordinator?.close();
    }
  }

  get #key(): Buffer {
    return frontierKey(this.#owner);
  }

  #writeFrontier(checkpoint: PartitionWriter, frontier: Frontier | undefined): void {
    const key = new ByteWriter(64);
    key.append(this.#key);
    const bytes = frontierValue(this.#owner, frontier);
    const place = { ns: this.#host.options.checkpointTopic, seconds: 0, increment: 0 };
    checkpoint.appendBytes(0, place, { bytes, valueEnd: bytes.length, key });
  }

  #partitionHost(): PartitionHost {
    const transactions = (): KafkaTransactions => this.transactions;
    const limits = { targetBytes: FRONTIER_BATCH_BYTES, maxBytes: FRONTIER_BATCH_BYTES };
    const { pool } = this.#host;
    const hold = (bytes: number): void => this.#host.hold(bytes);
    const fail = (error: unknown): void => this.#onError(error);
    return {
      pool,
      preparer: new BatchPreparer({ pool, compressor: undefined, encoding: undefined, limits, hold, fail }),
      limits,
      lanes: 1,
      compressor: undefined,
      withHeaders: false,
      get transactions() {
        return transactions();
      },
      hold,
      ready: (partition, now) => this.#sender?.ready(partition, now),
      acknowledged: (batch) => this.transactions.acknowledged(batch),
      recordTooLarge: () => this.#host.fail(new Error('a frontier record is too large')),
      fail,
    };
  }

  #onError(reason: unknown): void {
    if (!(reason instanceof FencedError)) {
      this.#host.fail(reason);
      return;
    }
    if (this.#isFenced) return;
    this.#isFenced = true;
    this.#transactions?.stop();
    this.#explainFence(reason).catch((error: unknown) => {
      if (!this.#closed.signal.aborted) this.#host.fail(error);
    });
  }

  /** Either another collector has taken over, or the broker has ended our transaction because we were too slow. */
  async #explainFence(fence: FencedError): Promise<void> {
    const signal = this.#closed.signal;
    const backoff = new Backoff({ minMs: FENCE_SETTLE_MS, maxMs: FENCE_BACKOFF_MAX_MS });
    await sleep(FENCE_SETTLE_MS, signal);
    while (!signal.aborted) {
      try {
        const record = await this.#topic?.read(this.#owner, signal);
        const isOurs = record === undefined || record.run === this.#owner.run;
        this.#host.fail(isOurs ? transactionLost(fence.message) : this.#takenOver(fence));
        return;
      } catch (error) {
        if (error instanceof KafkaTunnelError) throw error;
        this.#host.logger.debug(`Who owns the source now cannot be read: ${describeError(error)}`);
      }
      await sleep(backoff.nextMs(), signal);
    }
  }

  #takenOver(cause: FencedError): KafkaTunnelError {
    const { id, source } = this.#owner;
    return new KafkaTunnelError({
      code: 'KAFKA_FENCED',
      message: `Another collector with id ${id} has taken over ${source} in Kafka; this one has been fenced and writes nothing any more`,
      hint: 'let only one collector with this id run, or let them elect a master (master_quorum = true)',
      cause,
    });
  }
}
