import type { MongoConnection } from '../mongo/mongo-connection.ts';
import type { PinnedMember } from '../mongo/pinned-member.ts';
import type { RawCursor, RawReply } from '../mongo/raw-cursor.ts';
import { timestampOf } from '../mongo/timestamp.ts';
import { formatPosition, incrementOf, secondsOf, type Position } from '../oplog/position.ts';
import { assert, must } from '../shared/assert.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { sleep } from '../shared/sleep.ts';
import type { BatchSizer } from './batch-sizer.ts';
import type { RawBatch } from './change-source.ts';
import { dropFirst, extentOf, isCommandEntry, type BatchExtent } from './oplog-batch.ts';
import { OPLOG_COLLECTION, OPLOG_DATABASE, readOldest, readOplogWindow } from './oplog-window.ts';
import { ForeignPositionError, PositionLostError } from './position-lost-error.ts';
import { ReadPace } from './read-pace.ts';

/** `majority` reads only what no rollback can take back. */
export type ReadConcernLevel = 'majority' | 'local';

export interface OplogTailOptions {
  readonly connection: MongoConnection;
  readonly member: PinnedMember;
  /** Replica-set name, for messages. */
  readonly name: string;
  readonly after: Position;
  readonly readConcern: ReadConcernLevel;
  readonly budget: MemoryBudget;
  readonly sizer: BatchSizer;
  readonly logger: Logger;
  /** How long the server holds an idle request. */
  readonly awaitMs: number;
}

/**
 * One life of one tailable cursor on one member.
 *
 * Reading forward needs no care for entries that are written out of order ("oplog holes" in MongoDB's glossary): a
 * cursor that goes forward sees the oplog up to the point before which there is no hole (the server's
 * WiredTigerOplogManager keeps it), on a secondary up to the end of the last batch applied. With
 * `majority` it sees the oplog up to the commit point, which no hole can lie before, for other members copy in order.
 *
 * The first reply must prove that nothing is missing: an entry stands at the position where we stopped, so the
 * cursor reads from it on, inclusive, and drops it. A position without an entry (a point in time that a person chose)
 * needs an older entry instead.
 */
export class OplogTail {
  readonly #options: OplogTailOptions;
  #last: Position;
  #proven: boolean;
  #cursor: RawCursor | undefined;
  readonly #pace = new ReadPace();
  /** How long the next request waits. */
  #waitMs = 0;

  constructor(options: OplogTailOptions) {
    this.#options = options;
    this.#last = options.after;
    this.#proven = isBeforeAllTime(options.after);
  }

  /** The position of the last entry handed out, or where we began. */
  get last(): Position {
    return this.#last;
  }

  /**
   * The batches after the position. Ends when the signal aborts, the server closes the cursor, or the member may not be read any more.
   * Each batch's bytes are taken from the budget.
   * @throws PositionLostError, ForeignPositionError, and the driver's errors.
   */
  async *batches(signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const { budget, sizer } = this.#options;
    let inFlight: Promise<RawReply> | undefined = this.#request(signal);
    while (inFlight !== undefined) {
      const reply = await inFlight;
      if (!this.#proven) await this.#prove(reply, signal);
      const batch = this.#toBatch(reply);
      inFlight = undefined;
      if (batch === undefined) {
        if (this.#mayAsk(signal)) inFlight = this.#request(signal);
        continue;
      }
      budget.take(batch.budgetBytes);
      // The next batch is under way while this one is handled, if there is room for it (I4).
      if (budget.hasRoom(sizer.expectedBytes) && this.#mayAsk(signal)) inFlight = this.#request(signal);
      yield batch;
      if (inFlight === undefined) {
        await budget.room(sizer.expectedBytes, signal);
        if (this.#mayAsk(signal)) inFlight = this.#request(signal);
      }
    }
  }

  #mayAsk(signal: AbortSignal): boolean {
    const { connection, member } = this.#options;
    return !signal.aborted && must(this.#cursor, 'no cursor').isOpen && connection.mayRead(member);
  }

  #request(signal: AbortSignal): Promise<RawReply> {
    const waitMs = this.#waitMs;
    this.#waitMs = 0;
    const reply = waitMs === 0 ? this.#ask(signal) : sleep(waitMs, signal).then(() => this.#ask(signal));
    // It may fail while its predecessor is still being handled: whoever awaits it later gets the error.
    reply.catch(() => undefined);
    return reply;
  }

  #ask(signal: AbortSignal): Promise<RawReply> {
    const { sizer, awaitMs } = this.#options;
    return this.#cursor === undefined
      ? this.#open(signal)
      : this.#cursor.getMore({ batchSize: sizer.batchSize, maxTimeMs: awaitMs, signal });
  }

  async #open(signal: AbortSignal): Promise<RawReply> {
    const { member, sizer, readConcern, after } = this.#options;
    const { cursor, reply } = await member.find(
      OPLOG_DATABASE,
      {
        find: OPLOG_COLLECTION,
        filter: { ts: { $gte: timestampOf(after) } },
        tailable: true,
        awaitData: true,
        batchSize: sizer.batchSize,
        readConcern: { level: readConcern },
      },
      signal,
    );
    this.#cursor = cursor;
    return reply;
  }

  #toBatch(reply: RawReply): RawBatch | undefined {
    const { bytes } = reply;
    let { arrayAt } = reply;
    let extent = extentOf(bytes, arrayAt);
    if (extent === undefined) return undefined;
    const { count } = extent;
    const receivedAtMs = performance.now();
    this.#options.sizer.note(bytes.length, count);
    this.#waitMs = this.#pace.answered({ entries: count, bytes: bytes.length }, receivedAtMs);
    if (extent.first === this.#options.after && this.#last === extent.first) {
      arrayAt = dropFirst(bytes, arrayAt, extent.firstEnd);
      extent = extentOf(bytes, arrayAt);
      if (extent === undefined) return undefined;
    }
    assert(extent.first > this.#last, `the oplog went back from ${this.#last} to ${extent.first}`);
    this.#last = extent.last;
    return { bytes, arrayAt, budgetBytes: bytes.length, receivedAtMs };
  }

  /** Checks on the first reply that it continues where we stopped (I7). */
  async #prove(reply: RawReply, signal: AbortSignal): Promise<void> {
    const { after, name, logger } = this.#options;
    const extent = extentOf(reply.bytes, reply.arrayAt);
    if (extent === undefined) {
      await this.#noteBehind(signal);
      // Nothing at or after a point in time means that everything there is is older.
      this.#proven = isPointInTime(after);
      return;
    }
    if (extent.first !== after) {
      const oldest = await this.#oldest(signal);
      if (oldest > after) throw new PositionLostError({ source: name, from: after, to: oldest });
      if (!isPointInTime(after)) this.#allowOnlyInsideTransaction(reply, extent, logger);
    }
    this.#proven = true;
  }

  /**
   * MongoShake gives the operations of a transaction the position just before its entry, and may have stored that: such a
   * checkpoint has no entry of its own, but the very next position is a command.
   */
  #allowOnlyInsideTransaction(reply: RawReply, extent: BatchExtent, logger: Logger): void {
    const { after, name } = this.#options;
    if (extent.first === after + 1n && isCommandEntry(reply.bytes, extent.firstAt)) {
      logger.warn(
        `the checkpoint ${formatPosition(after)} lies inside a transaction; it is read again from its first operation`,
      );
      return;
    }
    throw new ForeignPositionError({ source: name, position: after, next: extent.first });
  }

  async #noteBehind(signal: AbortSignal): Promise<void> {
    const { member, name, after, readConcern, logger } = this.#options;
    const { newest } = await readOplogWindow((db, cmd) => member.command(db, cmd, signal), readConcern);
    if (newest >= after) return;
    logger.warn(
      `the newest entry of ${name} on ${member.host}, ${formatPosition(newest)}, is older than our position ${formatPosition(after)}: waiting for it to be reached`,
    );
  }

  #oldest(signal: AbortSignal): Promise<Position> {
    const { member, readConcern } = this.#options;
    return readOldest((db, cmd) => member.command(db, cmd, signal), readConcern);
  }
}

/** Entries have increments from 1 on: 0 is a point in time that a person chose. */
function isPointInTime(position: Position): boolean {
  return incrementOf(position) === 0;
}

/** MongoShake's default for `checkpoint.start_position`, 1970: from the oldest entry that there is. */
function isBeforeAllTime(position: Position): boolean {
  return secondsOf(position) <= 1;
}
