import { RawTag, ReplyCode } from '../../message/raw-message.ts';
import type { MessageHandler } from '../message-reader.ts';

/** A shard that was heard of within this time may have more on its way. */
const ACTIVE_MS = 3000;
/** So long the acks of a host are held back for a shard that sends no entries and may have lost some. */
const DOUBT_MS = 30_000;
/** A MongoShake collector asks for acks once a second; so often a shard asks again. */
const ASK_MS = 2000;

interface ShardState {
  heardAt: number;
  /** A reply code that the sender has still to be told of; else 0. */
  refusal: bigint;
  /** Until when messages before those that have come may be missing; 0: none are. */
  doubtUntil: number;
  /** When it last asked to have everything again. */
  askedAt: number;
}

/** One connection to the ack port. */
export interface Asker {
  /** The last demand for a retransmission that it was told of. */
  told: number;
}

/**
 * What one host is answered at the ack port, where it does not say for which of its shards it asks. The answer must not cover
 * an entry of any shard that is not done, or the sender forgets it: the lowest ack of all shards that have
 * something left to do or were heard of just now; the highest when all is done.
 *
 * A MongoShake collector does not repeat by itself what a receiver before this one had taken and lost. Therefore after a restart a shard is in
 * doubt until a retransmission comes: the answer covers nothing, and each connection is told once to send everything again when
 * entries come without it. A worker that has nothing to send does not listen to that, so the doubt ends by itself after a while if no entries come.
 */
export class ShardAcks {
  readonly #sender: string;
  readonly #isInDoubt: boolean;
  readonly #shards = new Map<number, ShardState>();
  #demands = 0;

  /**
   * @param sender the host
   * @param isInDoubt whether an earlier receiver may have lost what it had
   */
  constructor(sender: string, isInDoubt = false) {
    this.#sender = sender;
    this.#isInDoubt = isInDoubt;
  }

  /** Notes that a message of the shard has come. */
  heard(shard: number, { tag, logs }: { tag: number; logs: number }): void {
    const state = this.#stateOf(shard);
    const now = performance.now();
    state.heardAt = now;
    if ((tag & RawTag.retransmission) !== 0) state.doubtUntil = 0;
    if (logs === 0 || now >= state.doubtUntil) return;
    // From now on an ack would cover what was lost: only a retransmission ends the doubt.
    state.doubtUntil = Number.POSITIVE_INFINITY;
    if (now - state.askedAt < ASK_MS) return;
    state.askedAt = now;
    this.#demands++;
  }

  /** The sender is one of ours: it sends everything again by itself. */
  trusts(shard: number): void {
    this.#stateOf(shard).doubtUntil = 0;
  }

  /** Notes what the handler answered to it. */
  answered(shard: number, reply: bigint): void {
    this.#stateOf(shard).refusal = reply < 0n ? reply : 0n;
  }

  /** The connection of the shard is closed: who asks now has not seen what was refused there. */
  closed(shard: number): void {
    this.#stateOf(shard).refusal = 0n;
  }

  /** @returns the answer; negative while a refusal stands */
  answer(handler: MessageHandler, asker: Asker): bigint {
    const now = performance.now();
    let lowest: bigint | undefined;
    let highest = 0n;
    let isInDoubt = false;
    for (const [shard, { heardAt, refusal, doubtUntil }] of this.#shards) {
      if (refusal < 0n) return refusal;
      const ack = handler.ackOf(shard, this.#sender);
      if (ack > highest) highest = ack;
      const isActive = handler.pendingOf(shard, this.#sender) > 0 || now - heardAt < ACTIVE_MS;
      if (isActive && (lowest === undefined || ack < lowest)) lowest = ack;
      if (isActive && now < doubtUntil) isInDoubt = true;
    }
    if (!isInDoubt) return lowest ?? highest;
    if (asker.told === this.#demands) return 0n;
    asker.told = this.#demands;
    return BigInt(ReplyCode.retransmission);
  }

  #stateOf(shard: number): ShardState {
    let state = this.#shards.get(shard);
    if (state === undefined) {
      const doubtUntil = this.#isInDoubt ? performance.now() + DOUBT_MS : 0;
      state = { heardAt: 0, refusal: 0n, doubtUntil, askedAt: Number.NEGATIVE_INFINITY };
      this.#shards.set(shard, state);
    }
    return state;
  }
}
