import type { Position } from '../oplog/position.ts';

interface PendingMessage {
  readonly first: Position;
  readonly last: Position;
}

/** How far one worker of a collector has been carried: what its acks are made of. */
export class ShardProgress {
  /** A message was refused: only a retransmission of all that is not acknowledged is taken next. */
  mustRetransmit = false;
  readonly #pending: PendingMessage[] = [];
  #lastTurn: Promise<void> = Promise.resolve();
  #doneThrough: Position = 0n;

  get pending(): number {
    return this.#pending.length;
  }

  /** Runs after all that were given before it, whatever connection they came over, have settled. */
  inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#lastTurn.then(action);
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  /** A message was taken; its entries lie from `first` to `last`. @returns what to call when it is done, in the order of the messages */
  taken(first: Position, last: Position): () => void {
    const message = { first, last };
    this.#pending.push(message);
    return () => {
      this.#pending.splice(this.#pending.indexOf(message), 1);
      // As in MongoShake it may go back: a sender has begun again further back.
      this.#doneThrough = last;
    };
  }

  /**
   * Everything of the shard at or below it is done. Below every entry that is not: entries of one transaction may share a
   * position, and a message may end between them.
   */
  get ack(): Position {
    const first = this.#pending[0]?.first;
    if (first === undefined || this.#doneThrough < first) return this.#doneThrough;
    return first > 0n ? first - 1n : 0n;
  }
}
