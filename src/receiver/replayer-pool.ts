import type { ReplayerConfig } from '../config/receiver-config.ts';
import { decodeMessage, type DecodedMessage } from '../message/decode-message.ts';
import type { OplogEntry } from '../message/oplog-entry.ts';
import { RawMessageError } from '../message/raw-message-error.ts';
import { RawTag, ReplyCode } from '../message/raw-message.ts';
import type { Position } from '../oplog/position.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import type { IncomingMessage, MessageHandler } from '../tunnel/message-reader.ts';
import type { DeadLetter } from './dead-letter.ts';
import { ReplayerLane } from './replayer-lane.ts';
import type { Replayer } from './replayer.ts';
import { ShardOrder } from './shard-order.ts';
import { ShardProgress } from './shard-progress.ts';

export interface ReplayerPoolOptions {
  readonly replayers: readonly Replayer[];
  readonly config: Pick<ReplayerConfig, 'batchEntries' | 'retries' | 'onError'>;
  readonly deadLetter: DeadLetter;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
}

/** Besides its bytes an entry costs an object or two. */
const ENTRY_BYTES = 200;
/** At most one line about refused messages in this time: anybody can send them, and a MongoShake collector does so without a pause. */
const REFUSED_LOG_MS = 1000;

/**
 * Takes the messages of all shards and gives each shard to one of the replayers (shard modulo their number, as MongoShake folds them).
 * Answers as MongoShake's receiver does: the position that is done before the message itself is, -6 to -8 for a message that cannot be
 * read, and then -4 until all that is not acknowledged has been sent again. What is taken is counted in the budget (I4), and done only when its
 * replayer says so (I3).
 */
export class ReplayerPool implements MessageHandler {
  readonly lanes: readonly ReplayerLane[];
  readonly #o: ReplayerPoolOptions;
  /** By number, then by sender. */
  readonly #shards = new Map<number, Map<string, ShardProgress>>();
  readonly #orders = new Map<number, ShardOrder>();
  readonly #stop = new AbortController();
  readonly #failed = new AbortController();
  #refused = 0;
  #saidAt = Number.NEGATIVE_INFINITY;

  constructor(options: ReplayerPoolOptions) {
    this.#o = options;
    const { replayers, config, deadLetter, logger } = options;
    this.lanes = replayers.map(
      (replayer) =>
        new ReplayerLane({
          replayer,
          config,
          deadLetter,
          logger,
          stop: this.#stop.signal,
          onFailed: (error) => this.#failed.abort(error),
        }),
    );
  }

  /** Aborts with the reason when a replayer cannot go on. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** Messages that were answered with a negative code. */
  get refused(): number {
    return this.#refused;
  }

  async handle(message: IncomingMessage): Promise<bigint> {
    this.#stop.signal.throwIfAborted();
    this.#failed.signal.throwIfAborted();
    const shard = this.#progressOf(message.shard, message.way?.sender ?? '');
    const lasts = message.onDone !== undefined;
    if (!lasts && shard.mustRetransmit) {
      if ((message.tag & RawTag.retransmission) === 0) return BigInt(ReplyCode.retransmission);
      shard.mustRetransmit = false;
    }
    let decoded: DecodedMessage;
    try {
      decoded = whole(decodeMessage(message.bytes, message.form));
    } catch (error) {
      if (lasts) return await this.#giveUp(message, error);
      return this.#refuse(message, shard, error);
    }
    if (decoded.entries.length === 0) {
      message.onDone?.();
      return shard.ack;
    }
    const { entries } = decoded;
    const isReadable = entries.every((entry) => entry.isReadable);
    if (!isReadable && !lasts && this.#o.config.onError === 'stop') {
      // Anybody can send such bytes; they are no reason to end.
      const error = new RawMessageError('a log is not BSON', { replyCode: ReplyCode.decompressInvalid });
      return this.#refuse(message, shard, error);
    }
    const order = this.#orderOf(message.shard);
    if (message.way !== undefined) await order.enter(message.way);
    await order.inTurn(() => this.#take({ message, shard, entries, isReadable }));
    return shard.ack;
  }

  ackOf(shard: number, sender = ''): bigint {
    return this.#shards.get(shard)?.get(sender)?.ack ?? 0n;
  }

  pendingOf(shard: number, sender = ''): number {
    return this.#shards.get(shard)?.get(sender)?.pending ?? 0;
  }

  async pause(): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.pause()));
  }

  resume(): void {
    for (const lane of this.lanes) lane.resume();
  }

  /** How far each shard has come, by its number; of several senders the one that is furthest behind. */
  get shards(): ReadonlyMap<number, { readonly pending: number; readonly ack: Position }> {
    const shards = new Map<number, { pending: number; ack: Position }>();
    for (const [number, senders] of this.#shards) {
      const all = [...senders.values()];
      const acks = all.map(({ ack }) => ack);
      shards.set(number, {
        pending: all.reduce((sum, { pending }) => sum + pending, 0),
        ack: acks.reduce((lowest, ack) => (ack < lowest ? ack : lowest)),
      });
    }
    return shards;
  }

  /** Takes nothing more, and waits for what the replayers have in their hands; what waits is left. */
  async stop(): Promise<void> {
    this.#stop.abort(new DOMException('The receiver stops', 'AbortError'));
    await Promise.all(this.lanes.map((lane) => lane.idle()));
  }

  async #take(taking: {
    message: IncomingMessage;
    shard: ShardProgress;
    entries: readonly OplogEntry[];
    isReadable: boolean;
  }): Promise<void> {
    const { message, shard, entries, isReadable } = taking;
    const { budget } = this.#o;
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes.length, entries.length * ENTRY_BYTES);
    const first = positionOf(entries[0]);
    const last = positionOf(entries[entries.length - 1]);
    // Taken before the wait: an answer to somebody else meanwhile must not cover it.
    const { done, dropped } = shard.taken(first, last);
    const ends = [this.#stop.signal, this.#failed.signal, message.way?.ended, message.withdrawn];
    const end = AbortSignal.any(ends.filter((signal) => signal !== undefined));
    await budget.room(bytes, end);
    if (end.aborted) {
      dropped();
      throw end.reason;
    }
    budget.take(bytes);
    this.#laneOf(message.shard).add({
      entries,
      isReadable,
      bytes,
      from: message.from,
      isSent: message.onDone === undefined,
      withdrawn: message.withdrawn,
      onDone: () => {
        budget.give(bytes);
        done();
        message.onDone?.();
      },
      onDropped: () => {
        budget.give(bytes);
        dropped();
      },
    });
  }

  /** @throws the error itself when there is no answer that a sender would understand: its connection is closed */
  #refuse(message: IncomingMessage, shard: ShardProgress, error: unknown): bigint {
    const code = error instanceof RawMessageError ? error.replyCode : ReplyCode.error;
    if (code > ReplyCode.checksumInvalid) throw error;
    shard.mustRetransmit = true;
    this.#refused++;
    const now = performance.now();
    if (now - this.#saidAt >= REFUSED_LOG_MS) {
      this.#saidAt = now;
      const { from } = message;
      this.#o.logger.warn(
        { refused: this.#refused },
        `${describeError(error)} from ${from}; it is asked for again`,
      );
    }
    return BigInt(code);
  }

  /** A message that would be the same at the next look. */
  async #giveUp({ shard, bytes, from, onDone }: IncomingMessage, error: unknown): Promise<bigint> {
    const lane = this.#laneOf(shard);
    // Not before what was handed over before it: then a crash does not leave it out a second time.
    await lane.idle();
    try {
      await lane.giveUp({ kind: 'message', from, bytes: bytes.toString('base64') }, error);
    } catch (failure) {
      this.#failed.abort(failure);
      throw failure;
    }
    onDone?.();
    return 0n;
  }

  #laneOf(shard: number): ReplayerLane {
    return this.lanes[shard % this.lanes.length];
  }

  #orderOf(shard: number): ShardOrder {
    let order = this.#orders.get(shard);
    if (order === undefined) {
      order = new ShardOrder();
      this.#orders.set(shard, order);
    }
    return order;
  }

  #progressOf(shard: number, sender: string): ShardProgress {
    let senders = this.#shards.get(shard);
    if (senders === undefined) {
      senders = new Map();
      this.#shards.set(shard, senders);
    }
    let progress = senders.get(sender);
    if (progress === undefined) {
      progress = new ShardProgress();
      senders.set(sender, progress);
    }
    return progress;
  }
}

function whole(decoded: DecodedMessage): DecodedMessage {
  if (!decoded.incomplete) return decoded;
  throw new RawMessageError('it ends before its last log', { replyCode: ReplyCode.error });
}

/** 0n for bytes that are no entry: what is wrong with them is said when they are applied. */
function positionOf(entry: OplogEntry): Position {
  return entry.isReadable ? entry.position : 0n;
}
