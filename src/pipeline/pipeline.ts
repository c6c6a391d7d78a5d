import { readInt32 } from '../bson/read-value.ts';
import type { ReplicationStats } from '../metrics/replication-stats.ts';
import type { NamespaceInfo } from '../namespace/namespace-table.ts';
import { describeDdl } from '../oplog/ddl.ts';
import { EntryHeader, Op, scanEntryHeader } from '../oplog/entry-header.ts';
import { classifyEntry, EntryKind } from '../oplog/entry-kind.ts';
import { writeWithoutGid } from '../oplog/gid-filter.ts';
import { incrementOf, positionOf, secondsOf, type Position } from '../oplog/position.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import { failpoint } from '../shared/failpoint.ts';
import { settledOrAborted } from '../shared/settled-or-aborted.ts';
import type { RawBatch } from '../source/change-source.ts';
import type { Frontier, PartialTransaction } from '../tunnel/tunnel.ts';
import type { Lane } from './lane.ts';
import type { PipelineOptions } from './pipeline-options.ts';

/** While the governor holds an entry back for longer, what came before it is marked. */
const MARK_AFTER_MS = 50;

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
 * of the acknowledgement window, and says below which position an open transaction begins), I8 (a mark names what has been
 * given to the lanes, neither more nor less; what is delivered already is not given again).
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
  /** Up to here entries are delivered already and only read for the transactions open there; 0: all are new. */
  #deliveredThrough: Position;
  #partial: PartialTransaction | undefined;
  /** The entry whose operations are being given, how many have been dealt with, and where a restart would begin; 0: none. */
  #committing: Position = 0n;
  #operations = 0;
  #resumeAfter: Position = 0n;

  /** @param after the position after which the first batch begins. */
  constructor(options: PipelineOptions, after: Position) {
    this.#options = options;
    this.#stats = options.stats;
    this.#lanes = options.lanes;
    this.#previousSeconds = secondsOf(after);
    this.#previousIncrement = incrementOf(after);
    const committed = options.frontiers?.committed;
    this.#deliveredThrough = committed?.deliveredThrough ?? 0n;
    this.#partial = committed?.partial;
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
    failpoint('after-read-before-send');
    try {
      for (let at = arrayAt + 4; at < end && !signal.aborted;) {
        while (bytes[++at] !== 0);
        at = scanEntryHeader(header, bytes, at + 1);
        if (governor.isActive && !(await this.#admit(header, signal))) break;
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
    if (entries > 0) this.#finishBatch({ entries, entryBytes, givenBefore, firstWallMs });
    this.#mark();
  }

  /** Waits as the governor says; meanwhile what was given is not kept in an open transaction of the far side. */
  async #admit(header: EntryHeader, signal: AbortSignal): Promise<boolean> {
    const { governor, frontiers } = this.#options;
    if (frontiers === undefined) return governor.admit(header, signal);
    if (frontiers.overdue !== 'no') this.#mark();
    const late = setTimeout(() => this.#mark(), MARK_AFTER_MS);
    try {
      return await governor.admit(header, signal);
    } finally {
      clearTimeout(late);
    }
  }

  /** Tells an exactly-once tunnel how far the lanes have been given everything. */
  #mark(options?: { now: boolean }): void {
    this.#options.frontiers?.mark(this.#frontier(), options);
  }

  #frontier(): Frontier {
    const deliveredThrough = this.#positionBefore();
    if (this.#committing === 0n) {
      return { resumeAfter: this.#options.transactions.checkpointable(deliveredThrough), deliveredThrough };
    }
    const partial = { at: this.#committing, operations: this.#operations };
    return { resumeAfter: this.#resumeAfter, deliveredThrough, partial };
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
        failpoint('after-ack-before-checkpoint');
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
    if (this.#deliveredThrough !== 0n && this.#isDelivered(header)) {
      this.#passOver(header, kind);
      return undefined;
    }
    if (kind !== EntryKind.dml && kind !== EntryKind.unknown) return this.#handleRare(header, kind, signal);
    const info = namespaces.lookup(header);
    if (!info.passes || header.fromMigrate || !gids.passes(header)) {
      stats.entriesFiltered++;
      return undefined;
    }
    return this.#give(header, info, signal);
  }

  #isDelivered(header: EntryHeader): boolean {
    if (header.position <= this.#deliveredThrough) return true;
    this.#deliveredThrough = 0n;
    return false;
  }

  /** An entry that is delivered already: it only tells which transactions are open. */
  #passOver(header: EntryHeader, kind: EntryKind): void {
    const { transactions } = this.#options;
    this.#stats.entriesFiltered++;
    if (kind === EntryKind.transactionPart || kind === EntryKind.prepare) {
      transactions.note(header, { prepare: kind === EntryKind.prepare, before: this.#positionBefore() });
    } else if (kind === EntryKind.abort) transactions.abort(header);
    else if (kind === EntryKind.lastTransactionPart || kind === EntryKind.commitPrepared) {
      transactions.passOver(header);
    }
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
    await this.#flushAndWait({ position: header.position, frontier: this.#frontier() }, signal);
    this.#isCut = signal.aborted;
    if (this.#isCut) return;
    const wait = this.#give(header, this.#options.namespaces.lookup(header), signal);
    if (wait !== undefined) await wait;
    await this.#flushAndWait({ position: header.position, frontier: this.#frontierAfter(header) }, signal);
  }

  /** The frontier once the DDL has been given too: it is an entry, or an operation of the entry that is being taken apart. */
  #frontierAfter(ddl: EntryHeader): Frontier {
    const before = this.#frontier();
    if (before.partial !== undefined) {
      return { ...before, partial: { ...before.partial, operations: before.partial.operations + 1 } };
    }
    const { position } = ddl;
    return { resumeAfter: this.#options.transactions.checkpointable(position), deliveredThrough: position };
  }

  /** Sends what all lanes hold and waits until it is durable. */
  async #flushAndWait(at: { position: Position; frontier: Frontier }, signal: AbortSignal): Promise<void> {
    const stats = this.#stats;
    const given = Promise.all(
      this.#lanes.map(
        (lane) =>
          new Promise<void>((resolve) => {
            if (signal.aborted) {
              resolve();
              return;
            }
            signal.addEventListener('abort', () => resolve(), { once: true });
            lane.flush(at.position, (entries) => {
              stats.entriesDurable += entries;
              resolve();
            });
          }),
      ),
    );
    this.#options.frontiers?.mark(at.frontier, { now: true });
    await given;
  }

  /** The operations of an applyOps entry, or of the transaction that it commits, each as an entry of its own. */
  async #handleOperations(header: EntryHeader, kind: EntryKind, signal: AbortSignal): Promise<void> {
    const { transactions } = this.#options;
    this.#stats.transactions++;
    this.#resumeAfter = transactions.checkpointable(this.#positionBefore());
    this.#committing = header.position;
    this.#operations = 0;
    transactions.begin(header);
    if (kind === EntryKind.lastTransactionPart || kind === EntryKind.commitPrepared) {
      for await (const { part, last } of transactions.parts(header, kind, signal)) {
        await this.#handlePart(part, { committing: header, last, signal });
        if (this.#isCut) return;
      }
      // Parts may be missing when the signal has aborted.
      this.#isCut = signal.aborted;
      if (this.#isCut) return;
    }
    if (kind !== EntryKind.commitPrepared) {
      await this.#handlePart(header, { committing: header, last: true, signal });
      if (this.#isCut) return;
    }
    this.#committing = 0n;
  }

  /** Gives the operations of one data entry; ends early, after a whole operation, when the signal has cut it. */
  async #handlePart(
    part: EntryHeader,
    options: { committing: EntryHeader; last: boolean; signal: AbortSignal },
  ): Promise<void> {
    const { frontiers, transactions } = this.#options;
    const { committing, signal } = options;
    const delivered = this.#partial?.at === this.#committing ? this.#partial.operations : 0;
    for (const operation of transactions.operations(part, options)) {
      if (this.#operations >= delivered) {
        operation.operationIndex = this.#operations;
        operation.committedIncrement = committing.increment;
        const wait = this.#handleOperation(operation, signal);
        if (wait !== undefined) await wait;
        if (this.#isCut) return;
      }
      this.#operations++;
      failpoint('inside-transaction');
      if (frontiers?.overdue === 'long') this.#mark();
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
    this.#rewritten.operationIndex = header.operationIndex;
    this.#rewritten.committedIncrement = header.committedIncrement;
    return this.#rewritten;
  }
}
