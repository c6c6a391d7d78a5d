import { messageFormOf, type MessageForm } from '../../../message/message-form-of.ts';
import { RAW_HEADER_BYTES } from '../../../message/raw-message.ts';
import { must } from '../../../shared/assert.ts';
import { Backoff } from '../../../shared/backoff.ts';
import { describeError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { MemoryBudget } from '../../../shared/memory-budget.ts';
import { sleep } from '../../../shared/sleep.ts';
import type { MessageHandler } from '../../message-reader.ts';
import { AbortedTransactions } from './aborted-transactions.ts';
import { formatBrokerAddress, type BrokerAddress } from '../client/broker-address.ts';
import type { BrokerConnection } from '../client/broker-connection.ts';
import { explainConnectError } from '../client/connect-error.ts';
import { DoneOffsets } from './done-offsets.ts';
import { edgeOffset } from '../client/edge-offset.ts';
import { splitBatches, type FetchedBatch } from './fetched-batch.ts';
import { fetchPartition, type FetchedPartition } from './fetch-partition.ts';
import { Gate } from './gate.ts';
import { NotReadyError, type KafkaCluster } from '../client/kafka-cluster.ts';
import { describeCode, fateOf, KafkaCode, KafkaTunnelError } from '../client/kafka-error.ts';
import { readRefused } from '../client/read-refused.ts';
import type { TopicLeaders } from '../client/topic-leaders.ts';
import { TruncatedMessages } from './truncated-messages.ts';
import { unpackRecords } from '../client/unpack-records.ts';

/** What has come in, counted by all readers of a topic together. */
export interface ReaderCounts {
  bytes: number;
  messages: number;
  refused: number;
}

export interface PartitionReaderOptions {
  readonly cluster: KafkaCluster;
  readonly leaders: TopicLeaders;
  readonly topic: string;
  readonly partition: number;
  /** Committed offset; undefined: begin at the oldest. */
  readonly start: number | undefined;
  readonly message: MessageForm | 'auto';
  readonly handler: MessageHandler;
  /** What is fetched and not handed over is counted in it; nothing is fetched while it is full. */
  readonly budget: MemoryBudget;
  /** How much to fetch at once; asked before each fetch. */
  readonly fetchBytes: () => number;
  readonly counts: ReaderCounts;
  /** Called with what only a person can cure; the reader has ended then. */
  readonly fail: (error: KafkaTunnelError) => void;
  /** Told about what lasts, for the log; the same again and again. */
  readonly warn: (trouble: string) => void;
  readonly logger: Logger;
}

const FETCH_WAIT_MS = 2000;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 5000;
/** A leader that moves is found within a few tries. */
const QUIET_ATTEMPTS = 4;
const TAG_AT = 4;
const SHARD_AT = 8;

/**
 * Reads one partition, from fetch to fetch, and hands its messages over one after the other; the next is handed over, and the next fetch
 * sent, when the handler has taken the last one. What is done is kept in `DoneOffsets`, whence it is committed.
 */
export class PartitionReader {
  readonly #o: PartitionReaderOptions;
  readonly #logger: Logger;
  readonly #stopped = new AbortController();
  readonly #gate = new Gate();
  readonly #backoff = new Backoff({ minMs: BACKOFF_MIN_MS, maxMs: BACKOFF_MAX_MS });
  readonly #truncated: TruncatedMessages;
  #done: DoneOffsets | undefined;
  /** As far as the group knows, or where we began. */
  #committed: number | undefined;
  /** Offset to read next. */
  #position = 0;
  #connection: BrokerConnection | undefined;
  #trouble: string | undefined;
  #gap: { readonly text: string; readonly end: number } | undefined;

  constructor(options: PartitionReaderOptions) {
    this.#o = options;
    this.#logger = options.logger.child({ topic: options.topic, partition: options.partition });
    this.#truncated = new TruncatedMessages((offset) => this.#refuse(offset));
    if (options.start !== undefined) this.#startAt(options.start);
  }

  /** The offset up to which all is done, if it is not committed yet. */
  get uncommitted(): number | undefined {
    const frontier = this.#done?.frontier;
    return frontier === this.#committed ? undefined : frontier;
  }

  noteCommitted(offset: number): void {
    this.#committed = offset;
  }

  get isConnected(): boolean {
    return this.#connection?.isOpen === true;
  }

  /** What is wrong at the moment; that messages are lost is said until something behind them is done. */
  get trouble(): string | undefined {
    const gap =
      this.#gap !== undefined && (this.#done?.frontier ?? 0) <= this.#gap.end ? this.#gap.text : undefined;
    return this.#trouble ?? gap;
  }

  /** No message is handed over from now on, until `resume`. */
  pause(): void {
    this.#gate.close();
  }

  resume(): void {
    this.#gate.open();
  }

  /** Ends reading; a message that the handler has not taken yet is not waited for. */
  stop(): void {
    this.#stopped.abort();
    this.#gate.open();
    this.#connection?.close();
  }

  /** Reads until `stop`; resolves when the handler holds no message that is being handed over. Never rejects. */
  async run(): Promise<void> {
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      try {
        await this.#read(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KafkaTunnelError) {
          this.stop();
          this.#o.fail(error);
          return;
        }
        await this.#waitOut(error instanceof NotReadyError ? error.message : describeError(error));
      }
    }
  }

  /** Reads over one connection until it fails. */
  async #read(signal: AbortSignal): Promise<void> {
    const address = await this.#o.leaders.addressOf(this.#o.partition);
    const connection = await explained(address, () => this.#o.cluster.connect(address, signal));
    this.#connection = connection;
    try {
      if (this.#done === undefined)
        this.#startAt(await explained(address, () => this.#edge(connection, 'oldest')));
      while (!signal.aborted) {
        await this.#gate.passed();
        await this.#o.budget.roomAhead(this.#o.fetchBytes(), signal);
        if (signal.aborted) return;
        const fetched = await explained(address, () => this.#fetch(connection));
        if (fetched.errorCode === KafkaCode.offsetOutOfRange) {
          await explained(address, () => this.#findAnew(connection));
        } else {
          this.#check(fetched.errorCode);
          await this.#holding(fetched.records.length, () => this.#handOverAll(fetched, signal));
        }
      }
    } finally {
      connection.close();
    }
  }

  #startAt(offset: number): void {
    this.#position = offset;
    this.#committed = offset;
    this.#done = new DoneOffsets(offset);
  }

  #fetch(connection: BrokerConnection): Promise<FetchedPartition> {
    const { topic, partition, fetchBytes } = this.#o;
    const wanted = { topic, partition, offset: this.#position, maxBytes: fetchBytes() };
    return fetchPartition(connection, { ...wanted, maxWaitMs: FETCH_WAIT_MS });
  }

  async #edge(connection: BrokerConnection, which: 'oldest' | 'newest'): Promise<number> {
    const { topic, partition } = this.#o;
    const { errorCode, offset } = await edgeOffset(connection, { topic, partition, which });
    this.#check(errorCode);
    return offset;
  }

  /** Where to go on when there is nothing at our offset (any more): the records between are lost (I7). */
  async #findAnew(connection: BrokerConnection): Promise<void> {
    const oldest = await this.#edge(connection, 'oldest');
    const newest = await this.#edge(connection, 'newest');
    const wanted = this.#position;
    if (wanted >= oldest && wanted <= newest) {
      throw new NotReadyError(`${this.#name} cannot be read at offset ${wanted} now`, { hasAnswered: true });
    }
    const why =
      wanted < oldest
        ? `the ${oldest - wanted} offsets before ${oldest} are gone (retention), unread`
        : `it ends at offset ${newest}: it was made anew, or has lost what was written last`;
    const text = `${this.#name} has nothing at offset ${wanted}, which comes next: ${why}; reading goes on at the oldest, ${oldest}`;
    this.#logger.warn({ wanted, oldest, newest }, text);
    if (wanted < oldest) this.#done?.passOver(oldest);
    else this.#done = new DoneOffsets(oldest);
    this.#position = oldest;
    this.#gap = { text, end: oldest };
  }

  async #handOverAll(fetched: FetchedPartition, signal: AbortSignal): Promise<void> {
    const aborted = new AbortedTransactions(fetched.abortedTransactions);
    let isEmpty = true;
    for (const batch of splitBatches(fetched.records)) {
      isEmpty = false;
      if (!aborted.hides(batch, () => batch.controlKey())) await this.#handOver(batch, signal);
      if (signal.aborted) return;
      this.#passOver(batch.nextOffset);
    }
    if (!isEmpty) return;
    if (fetched.records.length > 0) throw new Error(`${this.#name} has a batch that does not come whole`);
    this.#allWell();
  }

  async #handOver(batch: FetchedBatch, signal: AbortSignal): Promise<void> {
    const unpacked = await unpackRecords(batch.compressionBits, batch.packedRecords);
    const isCopy = batch.compressionBits !== 0;
    await this.#holding(isCopy ? unpacked.length : 0, () => this.#handOverRecords(batch, unpacked, signal));
  }

  /** Counts bytes that are held while something is done. */
  async #holding(bytes: number, action: () => Promise<void>): Promise<void> {
    const { budget } = this.#o;
    budget.takeAhead(bytes);
    try {
      await action();
    } finally {
      budget.giveAhead(bytes);
    }
  }

  async #handOverRecords(batch: FetchedBatch, unpacked: Buffer, signal: AbortSignal): Promise<void> {
    for (const { offset, value } of batch.records(unpacked)) {
      if (offset < this.#position) continue;
      this.#allWell();
      const form = value === null ? undefined : this.#formOf(value, offset);
      if (value === null || form === undefined) {
        this.#passOver(offset + 1);
        continue;
      }
      await this.#gate.passed();
      if (signal.aborted) return;
      await this.#deliver({ offset, value, form }, signal);
    }
  }

  /** @returns undefined for what is not to be handed over: the beginning of a message that follows */
  #formOf(value: Buffer, offset: number): MessageForm | undefined {
    const { message } = this.#o;
    const form = message === 'auto' ? messageFormOf(value) : message;
    return form === 'raw' && this.#truncated.isBeginning(value, offset) ? undefined : form;
  }

  /** Repeats what the handler throws at: nothing of a topic is ever refused. */
  async #deliver(
    { offset, value, form }: { offset: number; value: Buffer; form: MessageForm },
    signal: AbortSignal,
  ): Promise<void> {
    const { handler, counts, topic, partition } = this.#o;
    const onDone = must(this.#done, 'a partition is read from a known offset').handOver(offset);
    this.#position = offset + 1;
    counts.bytes += value.length;
    counts.messages += 1;
    const hasHeader = form === 'raw' && value.length >= RAW_HEADER_BYTES;
    const message = {
      shard: hasHeader ? value.readUInt32BE(SHARD_AT) : partition,
      tag: hasHeader ? value.readUInt32BE(TAG_AT) : 0,
      form,
      bytes: value,
      from: `${topic}-${partition}@${offset}`,
      onDone,
      withdrawn: this.#stopped.signal,
    };
    while (!signal.aborted) {
      try {
        await handler.handle(message);
        return;
      } catch (error) {
        if (signal.aborted) return;
        await this.#waitOut(`${message.from} is not taken: ${describeError(error)}`);
        await this.#gate.passed();
      }
    }
  }

  #passOver(next: number): void {
    this.#position = next;
    this.#done?.passOver(next);
    this.#allWell();
  }

  #refuse(offset: number): void {
    this.#o.counts.refused += 1;
    this.#logger.warn(
      { offset },
      'a message in Kafka ends before its logs do, and no later record completes it; it is passed over',
    );
  }

  /** @throws NotReadyError, KafkaTunnelError */
  #check(code: number): void {
    if (code === KafkaCode.none) return;
    if (fateOf(code) === 'fatal') throw readRefused(code, `Topic ${this.#o.topic}`);
    throw new NotReadyError(`${this.#name}: ${describeCode(code)}`, { hasAnswered: true });
  }

  async #waitOut(trouble: string): Promise<void> {
    if (this.#backoff.attempts >= QUIET_ATTEMPTS) this.#o.warn(trouble);
    this.#trouble = trouble;
    await sleep(this.#backoff.nextMs(), this.#stopped.signal);
  }

  #allWell(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#backoff.reset();
  }

  get #name(): string {
    return `Partition ${this.#o.partition} of topic ${this.#o.topic}`;
  }
}

/** Gives what a connection throws its reason, so that it is tried again or ends the reader. */
async function explained<T>(address: BrokerAddress, question: () => Promise<T>): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof NotReadyError || error instanceof KafkaTunnelError) throw error;
    const reason = explainConnectError(error, formatBrokerAddress(address));
    if (typeof reason !== 'string') throw reason;
    throw new NotReadyError(reason, { hasAnswered: false });
  }
}
