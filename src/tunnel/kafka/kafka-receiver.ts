import type { MessageForm } from '../../message/message-form-of.ts';
import { Backoff } from '../../shared/backoff.ts';
import { deadlineSignal } from '../../shared/deadline-signal.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import type { MemoryBudget } from '../../shared/memory-budget.ts';
import { sleep } from '../../shared/sleep.ts';
import { whenAborted } from '../../shared/when-aborted.ts';
import type { MessageHandler, MessageReader, ReaderTraffic } from '../message-reader.ts';
import { AssignedPartitions } from './receive/assigned-partitions.ts';
import type { BrokerAddress } from './client/broker-address.ts';
import type { BrokerConnectionOptions } from './client/broker-connection.ts';
import {
  ConsumerGroup,
  REBALANCE_TIMEOUT_MS,
  SESSION_TIMEOUT_MS,
  type Membership,
} from './receive/consumer-group.ts';
import { KafkaCluster, NotReadyError } from './client/kafka-cluster.ts';
import { PartitionReader } from './receive/partition-reader.ts';
import { TopicLeaders } from './client/topic-leaders.ts';

export interface KafkaReceiverOptions {
  readonly brokers: readonly BrokerAddress[];
  readonly topic: string;
  /** Receivers with the same one share the partitions, and go on where the others have committed. */
  readonly groupId: string;
  readonly connection: BrokerConnectionOptions;
  /** What the values of the records are; `auto`: look at each. */
  readonly message: MessageForm | 'auto';
  /** Counts what is fetched and not handed over (I4). */
  readonly budget: MemoryBudget;
  readonly logger: Logger;
}

/** Heartbeats, and commits if anything was done. */
const TICK_MS = 1000;
/** How often whoever shares the partitions out looks whether there are more. */
const COUNT_CHECK_MS = 10_000;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 5000;
/** A group that has just been made, or whose coordinator moves, says `not yet` a few times. */
const QUIET_ATTEMPTS = 4;
/** Commit and leave at the end, when brokers are away. */
const CLOSE_TIMEOUT_MS = 3000;
/** Beyond the time that the coordinator may take to answer. */
const ANSWER_MARGIN_MS = 5000;
/** How long the group is kept waiting for what the replayers have in their hands: well within a session. */
const HAND_OFF_MAX_MS = 6000;
const FETCH_BYTES_MAX = 2 * 1024 * 1024;
const FETCH_BYTES_MIN = 64 * 1024;
/** What all partitions together fetch at once, and which part of the budget that is at most. */
const FETCH_BYTES_TOTAL = 16 * 1024 * 1024;
const BUDGET_PART = 4;

/**
 * Reads a topic as a member of a consumer group, read_committed. Each partition is read over a connection of its own
 * ({@link PartitionReader}), and its offset committed, once a second, up to the first message that is not done: what comes
 * again after a crash was not committed (I3), and nothing is left out. Brokers that are away, and a topic that is
 * not there yet, are waited for.
 */
export class KafkaReceiver implements MessageReader {
  readonly #o: KafkaReceiverOptions;
  readonly #failed = new AbortController();
  readonly #stopped = new AbortController();
  readonly #counts = { bytes: 0, messages: 0, refused: 0 };
  readonly #cluster: KafkaCluster;
  readonly #group: ConsumerGroup;
  readonly #leaders: TopicLeaders;
  #handler: MessageHandler | undefined;
  #partitions: AssignedPartitions | undefined;
  #following: Promise<void> = Promise.resolve();
  #left: Promise<void> | undefined;
  #trouble: string | undefined = 'not open yet';
  /** What has been warned of since all was well. */
  readonly #said = new Set<string>();
  #lease: NodeJS.Timeout | undefined;

  constructor(options: KafkaReceiverOptions) {
    const { brokers, connection, logger, topic, groupId } = options;
    this.#o = options;
    this.#cluster = new KafkaCluster({ brokers, connection, logger });
    const patience = Math.max(connection.requestTimeoutMs, REBALANCE_TIMEOUT_MS + ANSWER_MARGIN_MS);
    const patient = { ...connection, requestTimeoutMs: patience };
    const cluster = new KafkaCluster({ brokers, connection: patient, logger });
    this.#group = new ConsumerGroup({ cluster, groupId, topic });
    this.#leaders = new TopicLeaders({ cluster: this.#cluster, topic, signal: this.#stopped.signal });
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  get trouble(): string | undefined {
    return this.#trouble ?? this.#partitions?.trouble;
  }

  get traffic(): ReaderTraffic {
    const connections = (this.#partitions?.connections ?? 0) + (this.#group.isConnected ? 1 : 0);
    return { ...this.#counts, connections };
  }

  /** Begins to follow the topic, and returns at once: what stands in the way is said in `trouble`, or aborts `failed`. */
  async open(handler: MessageHandler, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#handler = handler;
    this.#trouble = `The consumer group ${this.#o.groupId} is not joined yet`;
    const partitions = new AssignedPartitions((partition, start) =>
      this.#newReader({ partition, start, handler }),
    );
    this.#partitions = partitions;
    this.#following = this.#follow(partitions, this.#stopped.signal);
  }

  /** Waits for no message; commits what is done, and leaves the group. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop();
    this.#left ??= this.#following.then(() => this.#leave());
    return this.#left;
  }

  #newReader({
    partition,
    start,
    handler,
  }: {
    partition: number;
    start: number | undefined;
    handler: MessageHandler;
  }): PartitionReader {
    const { topic, message, budget, logger } = this.#o;
    return new PartitionReader({
      cluster: this.#cluster,
      leaders: this.#leaders,
      topic,
      partition,
      start,
      message,
      handler,
      budget,
      fetchBytes: () => this.#fetchBytes(),
      counts: this.#counts,
      fail: (error) => this.#fail(error),
      warn: (trouble) => this.#warn(trouble),
      logger,
    });
  }

  #fetchBytes(): number {
    const total = Math.min(FETCH_BYTES_TOTAL, this.#o.budget.limitBytes / BUDGET_PART);
    const share = Math.floor(total / Math.max(1, this.#partitions?.size ?? 1));
    return Math.min(FETCH_BYTES_MAX, Math.max(FETCH_BYTES_MIN, share));
  }

  /** Joins again and again, and stays as long as it may. Never rejects. */
  async #follow(partitions: AssignedPartitions, stop: AbortSignal): Promise<void> {
    const backoff = new Backoff({ minMs: BACKOFF_MIN_MS, maxMs: BACKOFF_MAX_MS });
    while (!stop.aborted) {
      try {
        const count = await this.#leaders.count();
        const assignment = await this.#group.join(count, stop);
        this.#renewLease(performance.now(), partitions);
        await partitions.take(assignment, (added) => this.#group.committed(added, stop));
        this.#handler?.resume();
        this.#allWell();
        backoff.reset();
        this.#o.logger.info(
          { group: this.#o.groupId, partitions: assignment.partitions, of: count },
          'partitions of the topic to read',
        );
        await this.#stay({ partitions, count: assignment.isLeader ? count : undefined, backoff, stop });
      } catch (error) {
        if (stop.aborted) return;
        if (!(error instanceof NotReadyError)) return this.#fail(error);
        await this.#waitOut(error, backoff);
      }
    }
  }

  /**
   * Lives as a member until the partitions are shared out anew; nothing is handed over any more then.
   * @param options.count partitions of the topic, if we share them out
   */
  async #stay(options: {
    partitions: AssignedPartitions;
    count: number | undefined;
    backoff: Backoff;
    stop: AbortSignal;
  }): Promise<void> {
    const { partitions, count, backoff, stop } = options;
    let countedAtMs = performance.now();
    for (;;) {
      await sleep(TICK_MS, stop);
      if (stop.aborted) return;
      try {
        let membership = await this.#beat(partitions, stop);
        const isCountDue = count !== undefined && performance.now() - countedAtMs > COUNT_CHECK_MS;
        if (membership === 'member' && isCountDue) {
          countedAtMs = performance.now();
          if ((await this.#leaders.count()) !== count) membership = 'rebalancing';
        }
        if (membership === 'rebalancing') {
          await this.#handOff(partitions, stop);
          membership = await this.#commit(partitions, stop);
          if (membership !== 'lost') return;
        }
        if (membership === 'lost') {
          void this.#pause(partitions);
          return partitions.drop();
        }
        backoff.reset();
        this.#allWell();
      } catch (error) {
        if (!(error instanceof NotReadyError)) throw error;
        await this.#waitOut(error, backoff);
      }
    }
  }

  async #beat(partitions: AssignedPartitions, stop: AbortSignal): Promise<Membership> {
    const sentAtMs = performance.now();
    const membership = await this.#group.heartbeat(stop);
    if (membership !== 'member') return membership;
    this.#renewLease(sentAtMs, partitions);
    partitions.resume();
    this.#handler?.resume();
    return this.#commit(partitions, stop);
  }

  async #commit(partitions: AssignedPartitions, signal: AbortSignal): Promise<Membership> {
    const offsets = partitions.uncommitted();
    if (offsets.size === 0) return 'member';
    const membership = await this.#group.commit(offsets, signal);
    if (membership === 'member') partitions.noteCommitted(offsets);
    return membership;
  }

  /** Without a heartbeat for the time of a session, the group has given our partitions to others. */
  #renewLease(sinceMs: number, partitions: AssignedPartitions): void {
    clearTimeout(this.#lease);
    const leftMs = sinceMs + SESSION_TIMEOUT_MS - performance.now();
    this.#lease = setTimeout(() => void this.#pause(partitions), leftMs);
    this.#lease.unref();
  }

  /** Nothing more is handed over, nor given to a replayer. @returns resolves when the replayers have nothing in their hands */
  #pause(partitions: AssignedPartitions): Promise<void> {
    partitions.pause();
    return this.#handler?.pause() ?? Promise.resolve();
  }

  /** Before others may read our partitions: waits for what the replayers have in their hands, as long as the group has patience. */
  async #handOff(partitions: AssignedPartitions, stop: AbortSignal): Promise<void> {
    const inHands = this.#pause(partitions);
    const timeout = AbortSignal.timeout(HAND_OFF_MAX_MS);
    await Promise.race([inHands, whenAborted(AbortSignal.any([stop, timeout]))]);
    if (!timeout.aborted || stop.aborted) return;
    this.#o.logger.warn(
      'a replayer has not finished before partitions go to others: they may begin with the same entries',
    );
  }

  async #leave(): Promise<void> {
    const signal = deadlineSignal(CLOSE_TIMEOUT_MS);
    try {
      if (this.#partitions !== undefined) await this.#commit(this.#partitions, signal);
    } catch (error) {
      this.#o.logger.warn(
        { reason: describeError(error) },
        'what was done last is not committed; it will be read again',
      );
    }
    await this.#group.leave(signal);
    this.#group.close();
  }

  #stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#lease);
    this.#partitions?.stop();
    this.#cluster.close();
  }

  #fail(error: unknown): void {
    this.#stop();
    this.#failed.abort(error);
  }

  async #waitOut(error: NotReadyError, backoff: Backoff): Promise<void> {
    const isUsual = error.hasAnswered && backoff.attempts < QUIET_ATTEMPTS;
    if (!isUsual) this.#warn(error.message);
    this.#trouble = error.message;
    await sleep(backoff.nextMs(), this.#stopped.signal);
  }

  #warn(trouble: string): void {
    if (this.#said.has(trouble)) return;
    this.#said.add(trouble);
    this.#o.logger.warn({ trouble }, 'Kafka cannot be read now; trying again until it can');
  }

  #allWell(): void {
    this.#trouble = undefined;
    if (this.#said.size === 0 || this.#partitions?.trouble !== undefined) return;
    this.#said.clear();
    this.#o.logger.info('Kafka can be read again');
  }
}
