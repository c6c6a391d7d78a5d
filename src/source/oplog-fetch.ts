import type { PinnedMember } from '../mongo/pinned-member.ts';
import { commandError } from '../mongo/mongo-connection-error.ts';
import { isEmptyBatch, type RawReply } from '../mongo/raw-cursor.ts';
import { isPassingMongoError } from '../mongo/server-error.ts';
import { timestampOf } from '../mongo/timestamp.ts';
import { secondsOf, type Position } from '../oplog/position.ts';
import { assert } from '../shared/assert.ts';
import { Backoff } from '../shared/backoff.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { sleep } from '../shared/sleep.ts';
import type { RawBatch } from './change-source.ts';
import { positionsIn } from './oplog-batch.ts';
import type { ReadConcernLevel } from './oplog-tail.ts';
import { OPLOG_COLLECTION, OPLOG_DATABASE, readOplogWindow } from './oplog-window.ts';
import { ForeignPositionError, PositionLostError } from './position-lost-error.ts';
import type { ReplyPatience } from './reply-patience.ts';

export interface OplogFetchOptions {
  readonly name: () => string;
  readonly url: string;
  readonly pin: (signal: AbortSignal, patience: ReplyPatience) => Promise<PinnedMember>;
  readonly patience: ReplyPatience;
  readonly budget: MemoryBudget;
  readonly readConcern: ReadConcernLevel;
  readonly logger: Logger;
}

/** One query asks for so many positions at most, */
const CHUNK_POSITIONS = 500;
/** and spans so many seconds of oplog at most, because the server walks over all that lies between. */
const CHUNK_SECONDS = 5;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1000;

/**
 * Reads single entries again by their positions. Keeps its connection between calls. Takes memory without waiting for
 * room: who asks holds memory already, and waiting for each other would be for ever.
 */
export class OplogFetch implements AsyncDisposable {
  readonly #options: OplogFetchOptions;
  #member: PinnedMember | undefined;

  constructor(options: OplogFetchOptions) {
    this.#options = options;
  }

  /** @throws PositionLostError when one has left the oplog, ForeignPositionError when one never was in it. */
  async *entries(
    positions: readonly Position[],
    signal: AbortSignal,
  ): AsyncGenerator<RawBatch, void, undefined> {
    const backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    let wanted = [...new Set(positions)].toSorted((a, b) => (a < b ? -1 : 1));
    while (wanted.length > 0 && !signal.aborted) {
      const chunk = wanted.slice(0, chunkLength(wanted));
      const before = wanted.length;
      try {
        for await (const reply of this.#find(chunk, signal)) {
          const found = positionsIn(reply.bytes, reply.arrayAt);
          const missing = found.findIndex((position, i) => position !== wanted[i]);
          if (missing >= 0) break;
          wanted = wanted.slice(found.length);
          this.#options.patience.answered();
          this.#options.budget.take(reply.bytes.length);
          yield {
            bytes: reply.bytes,
            arrayAt: reply.arrayAt,
            budgetBytes: reply.bytes.length,
            receivedAtMs: performance.now(),
          };
        }
        if (before - wanted.length === chunk.length) continue;
        await this.#explainMissing(wanted, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.patience.failed(error);
        await this.#forgetMember();
        if (!isPassingMongoError(error)) {
          throw commandError(error, { url: this.#options.url, what: 'read the oplog' });
        }
        this.#options.logger.debug(`reading single entries again after: ${describeError(error)}`);
      }
      await sleep(backoff.nextMs(), signal);
    }
  }

  async *#find(chunk: readonly Position[], signal: AbortSignal): AsyncGenerator<RawReply, void, undefined> {
    const { pin, patience } = this.#options;
    this.#member ??= await pin(signal, patience);
    const timestamps = chunk.map(timestampOf);
    const { cursor, reply } = await this.#member.find(
      OPLOG_DATABASE,
      {
        find: OPLOG_COLLECTION,
        // The range lets the server go straight to its place; $in alone would read the whole oplog.
        filter: { ts: { $gte: timestamps[0], $lte: timestamps.at(-1), $in: timestamps } },
        batchSize: chunk.length,
        readConcern: { level: this.#options.readConcern },
      },
      signal,
    );
    try {
      if (!isEmptyBatch(reply)) yield reply;
      while (cursor.isOpen) {
        const next = await cursor.getMore({ batchSize: chunk.length, signal });
        if (!isEmptyBatch(next)) yield next;
      }
    } finally {
      if (!signal.aborted) await cursor.close();
    }
  }

  /** Throws when the first of `wanted` is gone for good; returns when this member is only behind. */
  async #explainMissing(wanted: readonly Position[], signal: AbortSignal): Promise<void> {
    const position = wanted[0];
    assert(position !== undefined && this.#member !== undefined, 'nothing is missing');
    const member = this.#member;
    const window = await readOplogWindow(
      (db, command) => member.command(db, command, signal),
      this.#options.readConcern,
    );
    const source = this.#options.name();
    if (window.oldest > position) throw new PositionLostError({ source, from: position, to: window.oldest });
    if (window.newest >= position) {
      throw new ForeignPositionError({ source, position, next: window.newest });
    }
    await this.#forgetMember();
  }

  async #forgetMember(): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    await member?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#forgetMember();
  }
}

function chunkLength(positions: readonly Position[]): number {
  const first = positions[0];
  assert(first !== undefined, 'an empty list has no chunk');
  let length = 1;
  while (length < positions.length && length < CHUNK_POSITIONS) {
    const next = positions[length];
    if (next === undefined || secondsOf(next) - secondsOf(first) > CHUNK_SECONDS) break;
    length++;
  }
  return length;
}
