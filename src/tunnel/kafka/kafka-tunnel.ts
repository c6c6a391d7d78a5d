import { must } from '../../shared/assert.ts';
import { Backoff } from '../../shared/backoff.ts';
import { sleep } from '../../shared/sleep.ts';
import type { LaneWriter, Tunnel, TunnelFrontiers, TunnelTraffic } from '../tunnel.ts';
import { BatchPreparer, type ThreadedEncoding } from './send/batch-preparer.ts';
import { BlockEncoder } from './send/block-encoder.ts';
import { ChunkPool } from './send/chunk-pool.ts';
import { loadCompressor, type RecordsCompressor } from './client/compression.ts';
import { createTopic } from './send/create-topic.ts';
import { EncoderThreads } from './send/encoder-threads.ts';
import { ExactlyOnce } from './exactly-once/exactly-once.ts';
import { NO_FOREKNOWLEDGE, type Foreknowledge } from './client/foreknowledge.ts';
import {
  NotReadyError,
  type KafkaCluster,
  type TopicMetadata,
  type TopicSettings,
} from './client/kafka-cluster.ts';
import { newKafkaCluster, REQUEST_TIMEOUT_MS } from './new-kafka-cluster.ts';
import {
  describeCode,
  fatalError,
  fateOf,
  KafkaCode,
  KafkaTunnelError,
  recordTooLarge,
} from './client/kafka-error.ts';
import type { KafkaLane, KafkaLaneHost } from './send/kafka-lane.ts';
import type { KafkaTunnelOptions } from './send/kafka-tunnel-options.ts';
import { KafkaTunnelStats } from './send/kafka-tunnel-stats.ts';
import { LaneReceipts, type ReceiptHolder } from './send/lane-receipts.ts';
import type { BatchLimits, PartitionHost } from './send/partition-host.ts';
import { newLane, recordFormOf } from './send/new-lane.ts';
import { PartitionWriter } from './send/partition-writer.ts';
import type { EntryPlace, PendingBatch } from './send/pending-batch.ts';
import { ProduceSender } from './send/produce-sender.ts';

const BATCH_BYTES = 512 * 1024;
/** Most bytes that are held while the budget has room. */
const WINDOW_BYTES_MAX = 16 * 1024 * 1024;
/** What may be held while the rest of the process has used the budget up: without it nothing would move. */
const WINDOW_BYTES_MIN = 1024 * 1024;
/** Buffers kept for reuse. */
const SPARE_BYTES_MAX = 16 * 1024 * 1024;
/** How much earlier than we give up a broker gives up to wait for its replicas. */
const BROKER_TIMEOUT_RATIO = 0.75;
/** For those who may not see the topic's settings: just below the broker's default of 1 MiB and 12 bytes. */
const MESSAGE_BYTES_DEFAULT = 1024 * 1024;
const OPEN_BACKOFF_MIN_MS = 200;
const OPEN_BACKOFF_MAX_MS = 1000;
/** A cluster that has just started, or made the topic, says `not yet` a few times. */
const QUIET_ATTEMPTS = 4;

/**
 * Writes entries into a topic of Kafka: encoded in place into record batches ({@link PartitionWriter}), sent by an idempotent
 * producer with acks=all ({@link ProduceSender}). A receipt is given after the broker's answer (I3). What is
 * not acknowledged is held, within a window (I4); while it is full, lanes wait. With `exactlyOnce` receipts wait for the
 * commit of a transaction ({@link ExactlyOnce}).
 */
export class KafkaTunnel implements Tunnel {
  readonly stats = new KafkaTunnelStats();
  readonly #o: KafkaTunnelOptions;
  readonly #pool = new ChunkPool(SPARE_BYTES_MAX);
  readonly #limits: { targetBytes: number; maxBytes: number };
  readonly #windowBytes: number;
  readonly #partitions: PartitionWriter[] = [];
  readonly #lanes: Array<LaneWriter & KafkaLane>;
  readonly #failed = new AbortController();
  readonly #closed = new AbortController();
  readonly #exactlyOnce: ExactlyOnce | undefined;
  #compressor: RecordsCompressor | undefined;
  #encoding: ThreadedEncoding | undefined;
  #cluster: KafkaCluster | undefined;
  #sender: ProduceSender | undefined;
  #heldBytes = 0;
  #waiters: Array<() => void> = [];
  #openTrouble: string | undefined = 'not open yet';

  constructor(options: KafkaTunnelOptions) {
    this.#o = options;
    const batchBytes = options.batchBytes ?? BATCH_BYTES;
    this.#limits = { targetBytes: batchBytes, maxBytes: options.maxMessageBytes };
    const quarter = Math.min(WINDOW_BYTES_MAX, options.budget.limitBytes / 4);
    this.#windowBytes = Math.max(WINDOW_BYTES_MIN, options.windowBytes ?? quarter);
    this.#exactlyOnce = this.#newExactlyOnce();
    const host = this.#laneHost();
    const exactlyOnce = this.#exactlyOnce;
    const holder: ReceiptHolder | undefined = exactlyOnce && {
      attach: (receipt) => exactlyOnce.transactions.attach(receipt),
    };
    this.#lanes = Array.from({ length: options.lanes }, (_, index) =>
      newLane(options, { index, host, receipts: new LaneReceipts(holder) }),
    );
  }

  get frontiers(): TunnelFrontiers | undefined {
    return this.#exactlyOnce?.transactions;
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  get trouble(): string | undefined {
    return this.#openTrouble ?? this.#sender?.trouble ?? this.#exactlyOnce?.trouble;
  }

  get traffic(): TunnelTraffic {
    return this.stats;
  }

  /**
   * Connects; waits for as long as no broker can be reached, with a warning that names the addresses and reasons.
   * @throws KafkaTunnelError for what only a person can cure: credentials, certificates, rights, a topic that is not
   * there, too few partitions
   */
  async open(signal: AbortSignal): Promise<void> {
    const { logger } = this.#o;
    this.#compressor = await loadCompressor(this.#o.compression);
    this.#encoding = this.#newEncoding();
    const requestTimeoutMs = this.#o.requestTimeoutMs ?? REQUEST_TIMEOUT_MS;
    const { readied } = this.#o;
    let known = readied?.known ?? NO_FOREKNOWLEDGE;
    const cluster = readied?.cluster ?? (this.#cluster = newKafkaCluster(this.#o, requestTimeoutMs));
    const backoff = new Backoff({ minMs: OPEN_BACKOFF_MIN_MS, maxMs: OPEN_BACKOFF_MAX_MS });
    const stop = AbortSignal.any([signal, this.#closed.signal]);
    let warned = false;
    for (;;) {
      try {
        await this.#prepare({ cluster, known, requestTimeoutMs }, stop);
        if (warned) logger.info('Kafka can be reached now');
        this.#openTrouble = undefined;
        return;
      } catch (error) {
        if (!(error instanceof NotReadyError)) throw error;
        known = NO_FOREKNOWLEDGE;
        const isUsual = error.hasAnswered && backoff.attempts < QUIET_ATTEMPTS;
        if (this.#openTrouble !== error.message && !isUsual) {
          warned = true;
          logger.warn({ trouble: error.message }, 'Kafka cannot be used yet; trying again until it can');
        }
        this.#openTrouble = error.message;
        await sleep(backoff.nextMs(), stop);
        stop.throwIfAborted();
      }
    }
  }

  lane(index: number): LaneWriter {
    return this.#lanes[index];
  }

  /** @throws the reason of `failed` when the tunnel has failed */
  async drain(signal: AbortSignal): Promise<void> {
    const isDone = (): boolean =>
      signal.aborted || this.#closed.signal.aborted || !this.#lanes.some((lane) => lane.receipts.isWaiting);
    await this.#waitUntil(isDone, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#sender?.stop();
    this.#cluster?.close();
    for (const partition of this.#partitions) partition.dispose();
    const ended = Promise.all([this.#exactlyOnce?.dispose(), this.#encoding?.threads[Symbol.asyncDispose]()]);
    this.#o.budget.give(this.#heldBytes);
    this.#heldBytes = 0;
    this.#wakeAll();
    await ended;
  }

  /** @throws NotReadyError when it may work later */
  async #prepare(
    from: { cluster: KafkaCluster; known: Foreknowledge; requestTimeoutMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { cluster, known, requestTimeoutMs } = from;
    const { topic: name } = this.#o;
    let topic = known.topics.get(name) ?? (await cluster.topic(name, signal));
    if (topic.errorCode === KafkaCode.unknownTopicOrPartition)
      topic = await createTopic(
        cluster,
        { topic: name, creation: this.#o.topicCreation, missing: topic, logger: this.#o.logger },
        signal,
      );
    if (topic.errorCode !== KafkaCode.none) {
      if (fateOf(topic.errorCode) === 'fatal') throw fatalError(topic.errorCode, `Topic ${name}`);
      throw new NotReadyError(`Topic ${name}: ${describeCode(topic.errorCode)}`, { hasAnswered: true });
    }
    this.#checkPartitions(topic);
    this.#learnSettings(known.settings.get(name) ?? (await cluster.topicSettings(name, signal)));
    const exactlyOnce = this.#exactlyOnce;
    const producer = await (exactlyOnce?.takeOver(cluster, known, signal) ?? cluster.newProducer(signal));
    signal.throwIfAborted();
    exactlyOnce?.begin(cluster);
    const host = this.#partitionHost();
    for (let index = 0; index < topic.leaders.length; index++) {
      const partition = new PartitionWriter(index, host);
      partition.renumber(producer);
      this.#partitions.push(partition);
    }
    this.#sender = new ProduceSender(
      {
        cluster,
        topic: name,
        partitions: this.#partitions,
        stats: this.stats,
        logger: this.#o.logger,
        brokerTimeoutMs: requestTimeoutMs * BROKER_TIMEOUT_RATIO,
        fail: (error) => this.#fail(error),
        mayWrite: this.#o.mayWrite,
        lost: this.#o.lost,
        ...(exactlyOnce === undefined ? {} : { transactional: exactlyOnce.senderOptions }),
      },
      topic,
    );
    exactlyOnce?.transactions.claim();
  }

  #newEncoding(): ThreadedEncoding | undefined {
    const { message, encoderThreads: count, encoderProgram: program, compression } = this.#o;
    if (count === 0 || message === 'raw') return undefined;
    const form = recordFormOf(this.#o);
    const fail = (error: unknown): void => this.#fail(error);
    const threads = new EncoderThreads({ count, program, form, compression, fail });
    return { threads, threadBytesMin: this.#o.threadBytesMin, blocks: new BlockEncoder(form) };
  }

  #newExactlyOnce(): ExactlyOnce | undefined {
    const { exactlyOnce: options, topicCreation, topic, logger, requestTimeoutMs, mayWrite, lost } = this.#o;
    if (options === undefined) return undefined;
    return new ExactlyOnce({
      options,
      topicCreation,
      topic,
      partitions: this.#partitions,
      logger,
      pool: this.#pool,
      brokerTimeoutMs: (requestTimeoutMs ?? REQUEST_TIMEOUT_MS) * BROKER_TIMEOUT_RATIO,
      ...{ mayWrite, lost },
      hold: (bytes) => this.#hold(bytes),
      sendAll: () => {
        for (const lane of this.#lanes) lane.sendAll();
      },
      ready: (partition) => this.#sender?.ready(partition, false),
      onCommitted: () => this.#wakeAll(),
      fail: (error) => this.#fail(error),
    });
  }

  #checkPartitions({ leaders }: TopicMetadata): void {
    const { partitioner, partitionNumber, topic } = this.#o;
    if (partitioner !== 'worker' || partitionNumber <= leaders.length) return;
    throw new KafkaTunnelError({
      code: 'KAFKA_PARTITIONS',
      message: `tunnel.kafka.partition_number is ${partitionNumber}, but topic ${topic} has ${leaders.length} partition(s)`,
      hint: `set tunnel.kafka.partition_number = ${leaders.length}, or add partitions (kafka-topics.sh --alter --topic ${topic} --partitions ${partitionNumber})`,
    });
  }

  #learnSettings(settings: TopicSettings | undefined): void {
    const { topic, partitioner, message, maxMessageBytes, logger } = this.#o;
    if (settings === undefined) {
      logger.info({ topic }, 'no right to see the settings of the topic: taking records up to 1 MiB');
    } else if (settings.compactedOnly && (partitioner === 'worker' || message === 'raw')) {
      throw new KafkaTunnelError({
        code: 'KAFKA_TOPIC_COMPACTED',
        message: `Topic ${topic} has cleanup.policy=compact and takes only records with a key`,
        hint: 'set tunnel.kafka.partitioner = key with tunnel.message json or bson, or choose a topic with cleanup.policy=delete',
      });
    }
    const topicBytes = settings?.maxMessageBytes ?? MESSAGE_BYTES_DEFAULT;
    this.#limits.maxBytes = Math.min(maxMessageBytes, topicBytes);
    this.#limits.targetBytes = Math.min(this.#limits.targetBytes, this.#limits.maxBytes);
  }

  #partitionHost(): PartitionHost {
    return {
      pool: this.#pool,
      preparer: new BatchPreparer({
        pool: this.#pool,
        compressor: this.#compressor,
        encoding: this.#encoding,
        limits: this.#limits,
        hold: (bytes) => this.#hold(bytes),
        fail: (error) => this.#fail(error),
      }),
      limits: this.#limits satisfies BatchLimits,
      lanes: this.#o.lanes,
      compressor: this.#compressor,
      withHeaders: this.#o.headers,
      transactions: this.#exactlyOnce?.transactions,
      hold: (bytes) => this.#hold(bytes),
      ready: (partition, now) => this.#sender?.ready(partition, now),
      acknowledged: (batch) => this.#acknowledged(batch),
      recordTooLarge: (place, bytes) => this.#recordTooLarge(place, bytes),
      fail: (error) => this.#fail(error),
    };
  }

  #laneHost(): KafkaLaneHost {
    const mustWait = (): boolean => this.#isFull || this.#exactlyOnce?.transactions.wantsTurn === true;
    const limits = this.#limits;
    const { partitioner, partitionNumber } = this.#o;
    const partitions = this.#partitions;
    return {
      partitions,
      partitionOfLane: (lane) => {
        const count = partitioner === 'key' ? partitions.length : partitionNumber;
        return must(partitions[lane % count], 'an entry came before the tunnel was open');
      },
      get recordBytesMax() {
        return limits.targetBytes;
      },
      withHeaders: this.#o.headers,
      get mustWait() {
        return mustWait();
      },
      waitForRoom: () => this.#waitForRoom(),
      hold: (bytes) => this.#hold(bytes),
    };
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (bytes >= 0) this.#o.budget.take(bytes);
    else this.#o.budget.give(-bytes);
  }

  get #isFull(): boolean {
    return this.#heldBytes > (this.#o.budget.hasRoom(0) ? this.#windowBytes : WINDOW_BYTES_MIN);
  }

  /** Waits with nothing kept back: only what is on its way can make room. */
  async #waitForRoom(): Promise<void> {
    if (!this.#isFull) {
      await this.#exactlyOnce?.transactions.turn();
      return;
    }
    for (const lane of this.#lanes) lane.sendAll();
    for (const partition of this.#partitions) partition.requestFlush();
    await this.#waitUntil(() => !this.#isFull || this.#closed.signal.aborted);
  }

  /** @throws the reason of `failed` when the tunnel has failed */
  async #waitUntil(isDone: () => boolean, signal?: AbortSignal): Promise<void> {
    const wake = (): void => this.#wakeAll();
    signal?.addEventListener('abort', wake, { once: true });
    try {
      for (;;) {
        this.failed.throwIfAborted();
        if (isDone()) return;
        await new Promise<void>((resolve) => {
          this.#waiters.push(resolve);
        });
      }
    } finally {
      signal?.removeEventListener('abort', wake);
    }
  }

  #acknowledged(batch: PendingBatch): void {
    const { laneBytes, count, receipts } = batch;
    for (let lane = 0; lane < laneBytes.length; lane++) this.#lanes[lane].pendingBytes -= laneBytes[lane];
    this.stats.batches++;
    this.stats.records += count;
    this.stats.bytes += batch.sentBytes;
    for (const receipt of receipts) receipt.waitsFor--;
    for (const receipt of receipts) receipt.settle();
    this.#exactlyOnce?.transactions.acknowledged(batch);
    this.#wakeAll();
  }

  #recordTooLarge(place: EntryPlace, bytes: number): void {
    const { topic, maxMessageBytes } = this.#o;
    this.#fail(recordTooLarge(place, { bytes, topic, maxMessageBytes, maxBytes: this.#limits.maxBytes }));
  }

  #fail(error: unknown): void {
    if (this.#failed.signal.aborted || this.#closed.signal.aborted) return;
    this.#failed.abort(error);
    this.#openTrouble = error instanceof Error ? error.message : String(error);
    this.#sender?.stop();
    this.#exactlyOnce?.stop();
    this.#wakeAll();
  }

  #wakeAll(): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const wake of waiters) wake();
  }
}
