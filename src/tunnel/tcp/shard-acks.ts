import type { MessageHandler } from '../message-reader.ts';

/** A shard that was heard of within this time may have more on its way. */
const ACTIVE_MS = 3000;

interface ShardState {
  heardAt: number;
  /** A reply code that the sender has still to be told of; else 0. */
  refusal: bigint;
}

/**
 * What one host is answered at the ack port, where it does not say for which of its shards it asks. The answer must not cover
 * an entry of any shard that is not done, or the sender forgets it: the lowest ack of all shards that have
 * something left to do or were heard of just now; the highest when all is done.
 */
export class ShardAcks {
  readonly #sender: string;
  readonly #shards = new Map<number, ShardState>();

  /** @param sender the host */
  constructor(sender: string) {
    this.#sender = sender;
  }

  /** Notes that a message of the shard has come. */
  heard(shard: number): void {
    this.#stateOf(shard).heardAt = performance.now();
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
  answer(handler: MessageHandler): bigint {
    const now = performance.now();
    let lowest: bigint | undefined;
    let highest = 0n;
    for (const [shard, { heardAt, refusal }] of this.#shards) {
      if (refusal < 0n) return refusal;
      const ack = handler.ackOf(shard, this.#sender);
      if (ack > highest) highest = ack;
      const isActive = handler.pendingOf(shard, this.#sender) > 0 || now - heardAt < ACTIVE_MS;
      if (isActive && (lowest === undefined || ack < lowest)) lowest = ack;
    }
    return lowest ?? highest;
  }

  #stateOf(shard: number): ShardState {
    let state = this.#shards.get(shard);
    if (state === undefined) {
      state = { heardAt: 0, refusal: 0n };
      this.#shards.set(shard, state);
    }
    return state;
  }
}
