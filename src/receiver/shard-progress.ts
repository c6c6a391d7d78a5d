import type { Position } from '../oplog/position.ts';

interface PendingMessage {
  readonly first: Position;
  readonly last: Position;
}

/** How far one worker of a sender has been carried: what its acks are made of. */
export class ShardProgress {
  /** A message was refused: only a retransmission of all that is not acknowledged is taken next. */
  mustRetransmit = false;
  #pending = 0;
  /** Of the messages that are not done those that begin before all that came after them: the first begins before all. */
  readonly #lowest: PendingMessage[] = [];
  #doneThrough: Position = 0n;

  get pending(): number {
    return this.#pending;
  }

  /** A message was taken; its entries lie from `first` to `last`. @returns what to call when it is done, or dropped, in the order of the messages */
  taken(first: Position, last: Position): { done: () => void; dropped: () => void } {
    const message = { first, last };
    this.#pending++;
    while ((this.#lowest.at(-1)?.first ?? first) > first) this.#lowest.pop();
    this.#lowest.push(message);
    const dropped = (): void => {
      this.#pending--;
      if (this.#lowest[0] === message) this.#lowest.shift();
    };
    const done = (): void => {
      dropped();
      // As in MongoShake it may go back: a sender has begun again further back.
      this.#doneThrough = last;
    };
    return { done, dropped };
  }

  /**
   * Everything of the shard at or below it is done. Below every entry that is not: entries of one transaction may share a
   * position, and a message may end between them.
   */
  get ack(): Position {
    const first = this.#lowest[0]?.first;
    if (first === undefined || this.#doneThrough < first) return this.#doneThrough;
    return first > 0n ? first - 1n : 0n;
  }
}
