import { readInt32 } from '../bson/read-value.ts';
import { classifyEntry, EntryKind } from '../oplog/entry-kind.ts';
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { formatPosition, type Position } from '../oplog/position.ts';
import { previousPosition } from '../oplog/previous-position.ts';
import { TransactionOperations, type OperationVersion } from '../oplog/transaction-operations.ts';
import { TransactionTable } from '../oplog/transaction-table.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import type { ChangeSource, RawBatch } from '../source/change-source.ts';
import { PositionLostError } from '../source/position-lost-error.ts';

export interface OpenTransactionsOptions {
  readonly source: ChangeSource;
  readonly budget: MemoryBudget;
  readonly version: OperationVersion;
  readonly logger: Logger;
  /**
   * Reading began where a person has chosen, or at the oldest entry: nothing is promised about what lies before. A checkpoint promises that nothing
   * after it is missed, so that the beginning of a transaction that is committed after it must be there.
   */
  readonly mayBeginInside: boolean;
}

/**
 * Transactions on their way to their commit. Only the positions of their parts are held; at the commit the parts are
 * read again from the oplog, so that an open transaction of any size costs no memory, and one whose
 * beginning lies before the place where reading began is complete all the same.
 *
 * I6: {@link checkpointable} never lets the checkpoint pass the first part of an open transaction.
 */
export class OpenTransactions {
  readonly #options: OpenTransactionsOptions;
  readonly #table = new TransactionTable();
  readonly #operations: TransactionOperations;
  /** First part of a transaction -> position of the entry before it. */
  readonly #before = new Map<Position, Position>();
  readonly #part = new EntryHeader();
  readonly #operation = new EntryHeader();
  readonly #flat = new ByteWriter();

  constructor(options: OpenTransactionsOptions) {
    this.#options = options;
    this.#operations = new TransactionOperations({ version: options.version });
  }

  /** How many are open. */
  get size(): number {
    return this.#table.size;
  }

  /** Notes a part; `before` is the position of the entry before it in the oplog. */
  note(header: EntryHeader, options: { prepare: boolean; before: Position }): void {
    const open = this.#table.size;
    this.#table.note(header, options);
    if (this.#table.size > open) this.#before.set(header.position, options.before);
  }

  abort(header: EntryHeader): void {
    this.#table.abort(header);
  }

  /** Closes the transaction that the entry commits without reading it: it is carried already. */
  passOver(committing: EntryHeader): void {
    this.#table.take(committing);
  }

  /** Drops what the entry's session has moved on from. */
  supersede(header: EntryHeader): void {
    this.#table.supersede(header);
  }

  /** The highest position at or below `last` from which a restart misses no part of an open transaction (I6). */
  checkpointable(last: Position): Position {
    const oldest = this.#table.oldestOpen;
    if (oldest === undefined) {
      if (this.#before.size > 0) this.#before.clear();
      return last;
    }
    const before = this.#before.get(oldest) ?? oldest - 1n;
    return before < last ? before : last;
  }

  /**
   * Begins to take apart what the entry commits: call it, then {@link operations} for each of {@link parts} and, unless it is
   * the commit of a prepared transaction, for the entry itself.
   */
  begin(committing: EntryHeader): void {
    this.#operations.begin(committing);
  }

  /**
   * The data entries before the committing one, oldest first, read again from the oplog. The same header is given each
   * time; it is valid until the next one is asked for.
   */
  async *parts(
    committing: EntryHeader,
    kind: EntryKind,
    signal: AbortSignal,
  ): AsyncGenerator<{ part: EntryHeader; last: boolean }, void, void> {
    const positions = await this.#partsOf(committing, signal);
    const newest = kind === EntryKind.commitPrepared ? positions[positions.length - 1] : undefined;
    for await (const part of this.#entries(positions, signal)) {
      yield { part, last: part.position === newest };
    }
  }

  /** The operations of one data entry, each as a scanned flat entry; the same header is given each time. */
  *operations(part: EntryHeader, options: { last: boolean }): Generator<EntryHeader, void, void> {
    this.#operations.read(part, options);
    this.#flat.length = 0;
    while (this.#operations.next(this.#flat)) {
      scanEntryHeader(this.#operation, this.#flat.bytes, 0);
      yield this.#operation;
      this.#flat.length = 0;
    }
  }

  /** Positions of the data entries before the committing one, oldest first. */
  async #partsOf(header: EntryHeader, signal: AbortSignal): Promise<Position[]> {
    const parts = this.#table.take(header);
    const positions = [...parts.positions];
    let next = parts.complete ? undefined : parts.continueAt;
    while (next !== undefined) {
      const at: Position = next;
      next = undefined;
      try {
        for await (const part of this.#entries([at], signal)) {
          const kind = classifyEntry(part);
          if (kind !== EntryKind.transactionPart && kind !== EntryKind.prepare) continue;
          positions.unshift(at);
          next = previousPosition(part);
        }
      } catch (error) {
        if (!(error instanceof PositionLostError)) throw error;
        this.#judgeLostBeginning({ at, committing: header, error });
      }
    }
    return positions;
  }

  /**
   * A transaction's parts up to the one at `at` have left the oplog.
   * @throws PositionLostError when they may not be skipped (I7)
   */
  #judgeLostBeginning(lost: { at: Position; committing: EntryHeader; error: PositionLostError }): void {
    const { source, logger, mayBeginInside } = this.#options;
    const [at, committedAt] = [formatPosition(lost.at), formatPosition(lost.committing.position)];
    if (mayBeginInside) {
      logger.warn(
        `A transaction committed at ${committedAt} began before the oplog's first entry: ` +
          `its operations up to ${at} are gone, the later ones are carried`,
      );
      return;
    }
    throw new PositionLostError({
      source: source.name,
      from: lost.at - 1n,
      to: lost.error.to,
      hint:
        `the transaction committed at ${committedAt} has operations from ${at} on; copy the data anew, ` +
        'then remove the checkpoint and set checkpoint.start_position to the time of the copy',
    });
  }

  /** Reads entries again; the same header is given each time. */
  async *#entries(
    positions: readonly Position[],
    signal: AbortSignal,
  ): AsyncGenerator<EntryHeader, void, void> {
    if (positions.length === 0) return;
    for await (const batch of this.#options.source.fetch(positions, signal)) {
      try {
        yield* entriesOf(batch, this.#part);
      } finally {
        this.#options.budget.give(batch.budgetBytes);
      }
    }
  }
}

function* entriesOf(batch: RawBatch, header: EntryHeader): Generator<EntryHeader, void, void> {
  const { bytes, arrayAt } = batch;
  const end = arrayAt + readInt32(bytes, arrayAt) - 1;
  for (let at = arrayAt + 4; at < end;) {
    while (bytes[++at] !== 0);
    at = scanEntryHeader(header, bytes, at + 1);
    yield header;
  }
}
