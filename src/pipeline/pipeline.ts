import { readInt32 } from '../bson/read-value.ts';
import type { AckWindow } from '../checkpoint/ack-window.ts';
import type { LatencyHistogram } from '../metrics/latency-histogram.ts';
import type { ReplicationStats } from '../metrics/replication-stats.ts';
import type { NamespaceFilter } from '../namespace/namespace-filter.ts';
import type { NamespaceInfo, NamespaceTable } from '../namespace/namespace-table.ts';
import { describeDdl } from '../oplog/ddl.ts';
import { EntryHeader, Op, scanEntryHeader } from '../oplog/entry-header.ts';
import { classifyEntry, EntryKind } from '../oplog/entry-kind.ts';
import { writeWithoutGid, type GidFilter } from '../oplog/gid-filter.ts';
import type { LaneRouter } from '../oplog/lane-router.ts';
import { incrementOf, positionOf, secondsOf, type Position } from '../oplog/position.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { settledOrAborted } from '../shared/settled-or-aborted.ts';
import type { RawBatch } from '../source/change-source.ts';
import type { Governor } from './governor.ts';
import type { Lane } from './lane.ts';
import type { OpenTransactions } from './open-transactions.ts';

export interface PipelineOptions {
  readonly stats: ReplicationStats;
  readonly lanes: readonly Lane[];
  readonly namespaces: NamespaceTable;
  readonly filter: NamespaceFilter;
  readonly gids: GidFilter;
  readonly router: LaneRouter;
  readonly transactions: OpenTransactions;
  readonly acks: AckWindow;
  readonly budget: MemoryBudget;
  readonly latency: LatencyHistogram;
  readonly governor: Governor;
  /** `filter.ddl_enable` */
  readonly carriesDdl: boolean;
  /** `filter.oplog.gids`: send entries without their field `g`. */
  readonly stripsGid: boolean;
}

/** What {@link Pipeline.handle} has found out about a batch. */
interface HandledBatch {
  readonly entries: number;
  readonly entryBytes: number;
  /** `entriesGiven` before it. */
  readonly givenBefore: number;
  /** Wall clock of its first entry. */
  readonly firstWallMs: number;
}

/**
 * The way of an entry from the server's bytes to its lane: scan, filter, take transactions apart, route, append.
 *
 * One batch is handled at a time and to its end. For an ordinary insert, update or delete nothing is allocated: the
 * header is reused and the lane's writer encodes from the batch's bytes before the next entry is scanned, so that
 * the batch can be dropped when it has been walked through. What is awaited is rare: a lane whose window is full, a
 * DDL, a transaction of several entries.
 *
 * Invariants held here: I2 (a key's lane is fixed by the router; a DDL is a barrier), I1 and I6 (a batch is one ticket
 * of the acknowledgement window, and says below which position an open transaction begins).
 */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #stats: ReplicationStats;
  readonly #lanes: readonly Lane[];
  readonly #header = new EntryHeader();
  readonly #rewritten = new EntryHeader();
  readonly #scratch = new ByteWriter();
  /** The signal aborted before the entry could be carried whole: it does not count, and comes again after a restart. */
  #isCut = false;
  /** Position of the entry before the one that is being handled. */
  #previousSeconds: number;
  #previousIncrement: number;

  /** @param after the position after which the first batch begins. */
  constructor(options: PipelineOptions, after: Position) {
    this.#options = options;
    this.#stats = options.stats;
    this.#lanes = options.lanes;
    this.#previousSeconds = secondsOf(after);
    this.#previousIncrement = incrementOf(after);
  }

  /**
   * Handles all entries of the batch. Resolves when they have been given to their lanes and sent on their way, not when they
   * are durable; that is what the acknowledgement window tells. When the signal aborts it ends early, after a whole entry,
   * and what it has handled counts, so that an orderly stop sends nothing twice.
   */
  async handle(batch: RawBatch, signal: AbortSignal): Promise<void> {
    const { budget, governor } = this.#options;
    const { bytes, arrayAt } = batch;
    const header = this.#header;
    const end = arrayAt + readInt32(bytes, arrayAt) - 1;
    const givenBefore = this.#stats.entriesGiven;
    let firstWallMs = 0;
    let entries = 0;
    let entryBytes = 0;
    try {
      for (let at = arrayAt + 4; at < end && !signal.aborted;) {
        while (bytes[++at] !== 0);
        at = scanEntryHeader(header, bytes, at + 1);
        if (governor.isActive && !(await governor.admit(header, signal))) break;
        const wait = this.#handleEntry(header, signal);
        if (wait !== undefined) await wait;
        if (this.#isCut) break;
        if (entries++ === 0) firstWallMs = header.wallMs;
        entryBytes += header.length;
        this.#stats.entriesRead++;
        this.#previousSeconds = header.seconds;
        this.#previousIncrement = header.increment;
      }
    } finally {
      budget.give(batch.budgetBytes);
    }
    if (entries === 0) return;
    this.#finishBatch({ entries, entryBytes, givenBefore, firstWallMs });
  }

  /** Sends what the lanes hold and opens the batch's ticket. */
  #finishBatch(batch: HandledBatch): void {
    const { entries, entryBytes, givenBefore, firstWallMs } = batch;
    const { acks, latency, transactions } = this.#options;
    const stats = this.#stats;
    const last = this.#positionBefore();
    const lastWallMs = this.#header.wallMs;
    const given = stats.entriesGiven - givenBefore;
    stats.lastRead = last;
    stats.batchesRead++;
    stats.bytesRead += entryBytes;
    stats.entryBytesAvg += (entryBytes / entries - stats.entryBytesAvg) / 8;
    let outstanding = 0;
    for (const lane of this.#lanes) if (lane.hasUnflushed) outstanding++;
    if (given > 0) stats.lastGiven = last;
    const ticket = acks.add({
      last,
      checkpointable: transactions.checkpointable(last),
      outstanding,
    });
    for (const lane of this.#lanes) {
      if (!lane.hasUnflushed) continue;
      lane.flush(last, (laneEntries) => {
        const nowMs = Date.now();
        stats.entriesDurable += laneEntries;
        stats.durableRate.add(laneEntries, nowMs);
        acks.done(ticket);
        if (--outstanding > 0) return;
        // A batch spans the time between its first and its last entry: half the weight for each end.
        latency.observe(nowMs - firstWallMs, given / 2);
        latency.observe(nowMs - lastWallMs, given / 2);
        if (acks.durable <= stats.lastDurable) return;
        stats.lastDurable = acks.durable;
        stats.lastDurableWallMs = acks.durable === last ? lastWallMs : 0;
      });
    }
  }

  #handleEntry(header: EntryHeader, signal: AbortSignal): Promise<void> | undefined {
    const { transactions, namespaces, gids } = this.#options;
    const stats = this.#stats;
    if (header.length > stats.entryBytesMax) stats.entryBytesMax = header.length;
    if (transactions.size !== 0) transactions.supersede(header);
    const kind = classifyEntry(header);
    if (kind !== EntryKind.dml && kind !== EntryKind.unknown) return this.#handleRare(header, kind, signal);
    const info = namespaces.lookup(header);
    if (!info.passes || header.fromMigrate || !gids.passes(header)) {
      stats.entriesFiltered++;
      return undefined;
    }
    return this.#give(header, info, signal);
  }

  #handleRare(header: EntryHeader, kind: EntryKind, signal: AbortSignal): Promise<void> | undefined {
    const { transactions, gids } = this.#options;
    const stats = this.#stats;
    if (kind === EntryKind.noop) {
      stats.noops++;
      stats.entriesFiltered++;
      return undefined;
    }
    if (kind === EntryKind.transactionPart || kind === EntryKind.prepare) {
      transactions.note(header, { prepare: kind === EntryKind.prepare, before: this.#positionBefore() });
      return undefined;
    }
    if (kind === EntryKind.abort) {
      transactions.abort(header);
      stats.entriesFiltered++;
      return undefined;
    }
    if (header.fromMigrate || !gids.passes(header)) {
      stats.entriesFiltered++;
      return undefined;
    }
    return kind === EntryKind.ddl
      ? this.#handleDdl(header, signal)
      : this.#handleOperations(header, kind, signal);
  }

  /** The position of the last entry handled: a restart that reads after it meets the next one again. */
  #positionBefore(): Position {
    return positionOf(this.#previousSeconds, this.#previousIncrement);
  }

  /** A DDL is a barrier (I2): all before it durable, then it alone, then all after it. */
  #handleDdl(header: EntryHeader, signal: AbortSignal): Promise<void> | undefined {
    const ddl = describeDdl(header);
    if (!this.#options.carriesDdl || !this.#options.filter.passesDdl(ddl)) {
      this.#stats.entriesFiltered++;
      return undefined;
    }
    return this.#giveAlone(header, signal);
  }

  async #giveAlone(header: EntryHeader, signal: AbortSignal): Promise<void> {
    await this.#flushAndWait(header.position, signal);
    this.#isCut = signal.aborted;
    if (this.#isCut) return;
    const wait = this.#give(header, this.#options.namespaces.lookup(header), signal);
    if (wait !== undefined) await wait;
    await this.#flushAndWait(header.position, signal);
  }

  /** Sends what all lanes hold and waits until it is durable. */
  async #flushAndWait(position: Position, signal: AbortSignal): Promise<void> {
    const stats = this.#stats;
    await Promise.all(
      this.#lanes.map(
        (lane) =>
          new Promise<void>((resolve) => {
            if (signal.aborted) {
              resolve();
              return;
            }
            signal.addEventListener('abort', () => resolve(), { once: true });
            lane.flush(position, (entries) => {
              stats.entriesDurable += entries;
              resolve();
            });
          }),
      ),
    );
  }

  /** The operations of an applyOps entry, or of the transaction that it commits, each as an entry of its own. */
  async #handleOperations(header: EntryHeader, kind: EntryKind, signal: AbortSignal): Promise<void> {
    const { transactions } = this.#options;
    this.#stats.transactions++;
    transactions.begin(header);
    if (kind === EntryKind.lastTransactionPart || kind === EntryKind.commitPrepared) {
      for await (const { part, last } of transactions.parts(header, kind, signal)) {
        await this.#handlePart(part, { last, signal });
      }
      // Parts may be missing when the signal has aborted.
      this.#isCut = signal.aborted;
      if (this.#isCut) return;
    }
    if (kind !== EntryKind.commitPrepared) await this.#handlePart(header, { last: true, signal });
  }

  async #handlePart(part: EntryHeader, options: { last: boolean; signal: AbortSignal }): Promise<void> {
    for (const operation of this.#options.transactions.operations(part, options)) {
      const wait = this.#handleOperation(operation, options.signal);
      if (wait !== undefined) await wait;
    }
  }

  #handleOperation(operation: EntryHeader, signal: AbortSignal): Promise<void> | undefined {
    if (operation.op === Op.command) return this.#handleDdl(operation, signal);
    const info = this.#options.namespaces.lookup(operation);
    if (!info.passes || operation.fromMigrate) {
      this.#stats.entriesFiltered++;
      return undefined;
    }
    return this.#give(operation, info, signal);
  }

  #give(header: EntryHeader, info: NamespaceInfo, signal: AbortSignal): Promise<void> | undefined {
    const stats = this.#stats;
    info.entries++;
    stats.entriesGiven++;
    switch (header.op) {
      case Op.insert:
        stats.inserts++;
        break;
      case Op.update:
        stats.updates++;
        break;
      case Op.delete:
        stats.deletes++;
        break;
      default:
        stats.commands++;
    }
    const lane = this.#lanes[this.#options.router.route(header, info)];
    const strips = this.#options.stripsGid && header.gAt !== 0;
    const wait = lane.append(strips ? this.#withoutGid(header) : header);
    return wait === undefined ? undefined : settledOrAborted(wait, signal);
  }

  #withoutGid(header: EntryHeader): EntryHeader {
    this.#scratch.length = 0;
    writeWithoutGid(header, this.#scratch);
    scanEntryHeader(this.#rewritten, this.#scratch.bytes, 0);
    return this.#rewritten;
  }
}
