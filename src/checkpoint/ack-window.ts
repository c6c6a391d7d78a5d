import type { Position } from '../oplog/position.ts';
import { assert } from '../shared/assert.ts';

/** One source batch on its way: done when all its receipts have come. */
export interface Ticket {
  readonly last: Position;
  readonly checkpointable: Position;
  outstanding: number;
}

/**
 * The low watermark (I1): the position up to which everything is durable, whatever the order in which lanes
 * finish. Tickets are added in source order, one per batch; the watermark moves over the complete ones at the front. Every
 * step takes constant time on average.
 */
export class AckWindow {
  #tickets: Ticket[] = [];
  #head = 0;
  #checkpointable: Position;
  #durable: Position;

  /** @param start where reading began: durable by definition */
  constructor(start: Position) {
    this.#checkpointable = start;
    this.#durable = start;
  }

  /** The highest position that may be stored as checkpoint. */
  get watermark(): Position {
    return this.#checkpointable;
  }

  /** The highest position such that everything read up to it is durable; a checkpoint may have to stay below it (I6). */
  get durable(): Position {
    return this.#durable;
  }

  /** Batches that are not complete, or wait for one before them. */
  get pending(): number {
    return this.#tickets.length - this.#head;
  }

  /**
   * Notes a batch.
   * @param options.last its last entry
   * @param options.outstanding how many receipts it waits for; 0 when all was filtered
   * @param options.checkpointable how far a checkpoint may go when it is complete: `last`, or the position before the first entry of
   * the oldest transaction that is still open there, for a checkpoint never cuts a transaction (I6)
   */
  add(options: { last: Position; outstanding: number; checkpointable: Position }): Ticket {
    assert(options.checkpointable <= options.last, 'a checkpoint would run ahead of its batch');
    assert(options.last >= (this.#tickets.at(-1)?.last ?? this.#durable), 'batches are noted out of order');
    const ticket = { ...options };
    this.#tickets.push(ticket);
    if (ticket.outstanding === 0) this.#advance();
    return ticket;
  }

  /** One receipt of the ticket has come. */
  done(ticket: Ticket): void {
    assert(ticket.outstanding > 0, 'a batch got more receipts than it waits for');
    ticket.outstanding -= 1;
    if (ticket.outstanding === 0) this.#advance();
  }

  #advance(): void {
    for (
      let ticket = this.#tickets[this.#head];
      ticket?.outstanding === 0;
      ticket = this.#tickets[this.#head]
    ) {
      this.#durable = ticket.last;
      if (ticket.checkpointable > this.#checkpointable) this.#checkpointable = ticket.checkpointable;
      this.#head += 1;
    }
    // Dropping the front only when it is half of the list keeps this constant on average.
    if (this.#head * 2 < this.#tickets.length) return;
    this.#tickets = this.#tickets.slice(this.#head);
    this.#head = 0;
  }
}
