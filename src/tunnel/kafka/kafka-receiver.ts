import type { KafkaSaslConfig, KafkaTlsConfig } from '../../config/config.ts';
import type { KafkaAddress } from '../../config/kafka-address.ts';
import { isIncompleteRawMessage } from '../../message/is-incomplete-raw-message.ts';
import { messageFormOf, type MessageForm } from '../../message/message-form-of.ts';
import { RAW_HEADER_BYTES } from '../../message/raw-message.ts';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';
import { sleep } from '../../shared/sleep.ts';
import { DoneInOrder } from '../done-in-order.ts';
import type { MessageHandler, MessageReader, ReaderTraffic } from '../message-reader.ts';
import { loadDecompression } from './compression.ts';
import { connectionOptions } from './connection-options.ts';
import { GroupMember, REBALANCE_TIMEOUT_MS, type GroupGeneration } from './group-member.ts';
import { KafkaCluster } from './kafka-cluster.ts';
import { PartitionReader } from './partition-reader.ts';

export interface KafkaReceiverOptions extends KafkaAddress {
  readonly groupId: string;
  readonly clientId: string;
  readonly sasl: KafkaSaslConfig | undefined;
  readonly tls: KafkaTlsConfig | undefined;
  readonly message: 'auto' | MessageForm;
  readonly logger: Logger;
}

const REQUEST_TIMEOUT_MS = 20_000;
const COMMIT_MS = 1000;
/** What is in the replayers' hands when partitions are given away is waited for this long: then others may read on where it ends. */
const FINISH_MS = REBALANCE_TIMEOUT_MS - 10_000;
const FINISH_POLL_MS = 20;
const SHARD_AT = 8;
const TAG_AT = 4;

/** How far a partition is done. */
interface PartitionProgress {
  readonly done: DoneInOrder<bigint>;
  committed: bigint | undefined;
  /** Header of a raw message that ended too early: a longer one with the same header follows. */
  prefix: Buffer | undefined;
}

/**
 * Reads a topic as a member of a consumer group, read_committed, from where the group left off (at first from the oldest record). An
 * offset is committed after its message is done, and all before it.
 */
export class KafkaReceiver implements MessageReader {
  readonly #o: KafkaReceiverOptions;
  readonly #closed = new AbortController();
  readonly #failed = new AbortController();
  readonly #troubles = new Map<string, string>();
  #running: Promise<void> | undefined;
  #bytes = 0;
  #messages = 0;
  #refused = 0;
  #partitions = 0;

  constructor(options: KafkaReceiverOptions) {
    this.#o = options;
  }

  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  get trouble(): string | undefined {
    return [...new Set(this.#troubles.values())].join('; ') || undefined;
  }

  get traffic(): ReaderTraffic {
    return {
      bytes: this.#bytes,
      messages: this.#messages,
      refused: this.#refused,
      connections: this.#partitions,
    };
  }

  /** @throws KafkaTunnelError naming a TLS file that cannot be read */
  async open(handler: MessageHandler, signal: AbortSignal): Promise<void> {
    const { brokers, groupId, topic, logger } = this.#o;
    signal.throwIfAborted();
    const connection = connectionOptions(this.#o, REQUEST_TIMEOUT_MS);
    await loadDecompression();
    const cluster = new KafkaCluster({ brokers, connection, logger });
    const onTrouble = (trouble: string | undefined): void => this.#note('group', trouble);
    const member = new GroupMember({ cluster, connection, groupId, topic, logger, onTrouble });
    this.#running = member
      .run((generation, over) => this.#work({ generation, cluster, handler }, over), this.#closed.signal)
      .catch((error: unknown) => {
        if (!this.#closed.signal.aborted) this.#failed.abort(error);
      });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#running;
  }

  /** Reads the partitions of one generation until it is over. */
  async #work(
    parts: { generation: GroupGeneration; cluster: KafkaCluster; handler: MessageHandler },
    over: AbortSignal,
  ): Promise<void> {
    const { generation } = parts;
    const committed = await generation.committed();
    const progress = new Map<number, PartitionProgress>();
    const stop = new AbortController();
    const signal = AbortSignal.any([over, stop.signal]);
    const reading = generation.partitions.map((partition) => {
      const from = committed.get(partition);
      const state: PartitionProgress = {
        done: new DoneInOrder(from ?? -1n),
        committed: from,
        prefix: undefined,
      };
      progress.set(partition, state);
      return this.#readPartition({ ...parts, partition, state, from }, signal);
    });
    this.#partitions = reading.length;
    const committing = this.#commitNowAndThen(generation, progress, signal);
    try {
      await Promise.all(reading);
    } finally {
      stop.abort();
      await Promise.allSettled(reading);
      await committing;
      await this.#finish(progress);
      await this.#commit(generation, progress);
      this.#partitions = 0;
    }
  }

  async #readPartition(
    parts: {
      cluster: KafkaCluster;
      handler: MessageHandler;
      partition: number;
      state: PartitionProgress;
      from: bigint | undefined;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { cluster, handler, partition, state, from } = parts;
    const { topic, logger } = this.#o;
    const reader = new PartitionReader({
      cluster,
      topic,
      partition,
      logger,
      onTrouble: (trouble) => this.#note(`partition ${partition}`, trouble),
      visit: (offset, value) => this.#take({ handler, partition, state }, offset, value),
    });
    await reader.run(from, signal);
    this.#note(`partition ${partition}`, undefined);
  }

  async #take(
    { handler, partition, state }: { handler: MessageHandler; partition: number; state: PartitionProgress },
    offset: bigint,
    value: Buffer | null,
  ): Promise<void> {
    const onDone = state.done.add(offset + 1n);
    if (value === null) return onDone();
    const form = this.#o.message === 'auto' ? messageFormOf(value) : this.#o.message;
    this.#bytes += value.length;
    if (this.#isPrefix(form, value, { partition, state, offset })) return onDone();
    this.#messages++;
    const isRaw = form === 'raw' && value.length >= RAW_HEADER_BYTES;
    await handler.handle({
      form,
      bytes: value,
      shard: isRaw ? value.readUInt32BE(SHARD_AT) : partition,
      tag: isRaw ? value.readUInt32BE(TAG_AT) : 0,
      from: `${this.#o.topic}-${partition}@${offset}`,
      onDone,
    });
  }

  /** Passes over what MongoShake's collector writes before each whole batch. */
  #isPrefix(
    form: MessageForm,
    value: Buffer,
    { partition, state, offset }: { partition: number; state: PartitionProgress; offset: bigint },
  ): boolean {
    const header = form === 'raw' ? value.subarray(0, RAW_HEADER_BYTES) : undefined;
    if (state.prefix !== undefined && header?.equals(state.prefix) !== true) {
      this.#refused++;
      this.#o.logger.warn(
        `Topic ${this.#o.topic}, partition ${partition}: the message before offset ${offset} was never completed`,
      );
    }
    const isPrefix = header !== undefined && isIncompleteRawMessage(value);
    state.prefix = isPrefix ? header : undefined;
    return isPrefix;
  }

  async #commitNowAndThen(
    generation: GroupGeneration,
    progress: ReadonlyMap<number, PartitionProgress>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      await sleep(COMMIT_MS, signal);
      if (!signal.aborted) await this.#commit(generation, progress);
    }
  }

  async #commit(
    generation: GroupGeneration,
    progress: ReadonlyMap<number, PartitionProgress>,
  ): Promise<void> {
    const offsets = new Map<number, bigint>();
    for (const [partition, { done, committed }] of progress) {
      if (done.end >= 0n && done.end !== committed) offsets.set(partition, done.end);
    }
    if (offsets.size === 0) return;
    try {
      await generation.commit(offsets);
      for (const [partition, offset] of offsets) {
        const state = progress.get(partition);
        if (state !== undefined) state.committed = offset;
      }
      this.#note('commit', undefined);
    } catch (error) {
      // It is tried again, or read again by whoever gets the partition.
      this.#note('commit', `offsets are not committed: ${describeError(error)}`);
    }
  }

  /** Waits for what was handed over; when the receiver stops, nothing more of it is done. */
  async #finish(progress: ReadonlyMap<number, PartitionProgress>): Promise<void> {
    const endMs = performance.now() + FINISH_MS;
    const isOpen = (): boolean => [...progress.values()].some(({ done }) => done.open > 0);
    while (isOpen() && performance.now() < endMs && !this.#closed.signal.aborted) {
      await sleep(FINISH_POLL_MS, this.#closed.signal);
    }
  }

  #note(what: string, trouble: string | undefined): void {
    if (trouble === undefined) {
      this.#troubles.delete(what);
      return;
    }
    if (this.#troubles.get(what) === trouble) return;
    this.#troubles.set(what, trouble);
    this.#o.logger.warn(`kafka: ${trouble}`);
  }
}
