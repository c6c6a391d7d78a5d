import { must } from '../../../shared/assert.ts';
import { failpoint } from '../../../shared/failpoint.ts';
import type { Frontier, TunnelFrontiers } from '../../tunnel.ts';
import type { ReceiptHolder } from '../send/lane-receipts.ts';
import type { BatchTransactions } from '../send/partition-host.ts';
import type { PartitionWriter } from '../send/partition-writer.ts';
import type { PendingBatch, Receipt } from '../send/pending-batch.ts';
import type { TransactionCoordinator } from './transaction-coordinator.ts';

/** What a transaction needs of the tunnel around it. */
export interface TransactionsHost {
  readonly coordinator: Pick<TransactionCoordinator, 'add' | 'end' | 'renew'>;
  /** Partitions of the messages. */
  readonly partitions: readonly PartitionWriter[];
  /** The checkpoint topic's partition that our frontier goes to. */
  readonly checkpoint: PartitionWriter;
  readonly topic: string;
  readonly checkpointTopic: string;
  readonly intervalMs: number;
  /** What was committed before this run. */
  readonly committed: Frontier | undefined;
  /** Has lanes give the partitions what they hold back. */
  sendAll(): void;
  /** Appends the record that says how far we are to {@link checkpoint}. */
  writeFrontier(frontier: Frontier | undefined): void;
  /** The partition may send. */
  ready(partition: PartitionWriter): void;
  /** A transaction has been committed, and its receipts have been given. */
  onCommitted(): void;
  fail(error: unknown): void;
}

/** One Kafka transaction, from the first record that is appended for it until it is committed. */
interface KafkaTransaction {
  readonly number: number;
  /** `performance.now()` of its first record. */
  firstMs: number;
  bytes: number;
  /** `bytes` at the last mark: what came later is not covered by the frontier. */
  markedBytes: number;
  /** Complete batches that are not acknowledged. */
  unacknowledged: number;
  readonly receipts: Receipt[];
  frontier: Frontier | undefined;
}

/** A mark ends a transaction of this size, even before the interval is over. */
const LARGE_BYTES = 64 * 1024 * 1024;
/** After so long it is time to commit even in the middle of a MongoDB transaction; well below the broker's patience. */
const LONG_MS = 20_000;
/** So much between two marks comes from a source that is ahead of us: one that we keep up with hands out little at a time. */
const BEHIND_BYTES = 512 * 1024;
/**
 * While a commit is under way nothing of the next transaction can be sent. Where that matters, because we are behind, a transaction
 * stays open for so many times as long as the last such pause, within bounds.
 */
const OPEN_PER_PAUSE = 40;
const STRETCHED_INTERVAL_MAX_MS = 2000;
/** That was all, when for so long nothing has come: a source that has more hands out its replies closer together. */
const QUIET_MS = 20;
/** A former owner looks a second after it has been fenced who has done it. */
const CLAIM_AFTER_MS = 100;
/** Each partition of a transaction costs a marker at its end, used or not. */
const CLAIMED_PARTITIONS_MAX = 32;
/** While nothing is appended the frontier is committed this often, so that it does not fall behind the oplog, nor expires. */
const IDLE_COMMIT_INTERVAL_MS = 5000;

/**
 * Kafka transactions of one source (I8): each carries what all lanes have appended between two marks, and the frontier of the second
 * mark.
 *
 * At most two are alive. One is being filled; its batches are sent as they fill up, each partition joining when it has the first. At a
 * mark it is closed: its last batches and the frontier go out, and when all are acknowledged it is committed. Meanwhile the next one
 * is being filled and encoded, but not sent. Receipts are given after the commit.
 */
export class KafkaTransactions implements TunnelFrontiers, BatchTransactions, ReceiptHolder {
  readonly committed: Frontier | undefined;
  readonly #host: TransactionsHost;
  readonly #stopped = new AbortController();
  #filling = newTransaction(1);
  /** Closed, and not committed yet. */
  #committing: KafkaTransaction | undefined;
  #isEnding = false;
  #marked: Frontier | undefined;
  /** Somebody waits: close at once. */
  #isUrgent = false;
  #timer: NodeJS.Timeout | undefined;
  #committedAtMs = performance.now();
  /** When the last transaction was closed, and when the last mark came that had anything before it. */
  #closedAtMs = 0;
  #markedAtMs = 0;
  #isBehind = false;
  /** How long the last commit, and making partitions part of the transaction behind it, kept us from sending. */
  #commitMs = 0;
  #joinMs = 0;
  /** A batch has been filled since {@link turn}, and an answer that the transactions wait for may have come meanwhile. */
  #wantsTurn = false;
  #lastCommitted: Frontier | undefined;
  /** Partitions of the transaction that is being sent, and those that have still to become part of it. */
  readonly #joined = new Set<PartitionWriter>();
  readonly #joining = new Set<PartitionWriter>();
  #isJoining = false;

  constructor(host: TransactionsHost) {
    this.#host = host;
    this.committed = host.committed;
    this.#marked = this.#lastCommitted = host.committed;
  }

  /** Whether something is open at the broker, or on its way. */
  get isOpen(): boolean {
    return this.#joined.size > 0 || this.#isJoining;
  }

  get filling(): number {
    return this.#filling.number;
  }

  get overdue(): 'no' | 'soon' | 'long' {
    const { bytes, firstMs } = this.#filling;
    if (bytes === 0) return 'no';
    const ageMs = performance.now() - firstMs;
    if (ageMs >= LONG_MS || bytes >= LARGE_BYTES) return 'long';
    return ageMs >= this.#host.intervalMs ? 'soon' : 'no';
  }

  mark(frontier: Frontier, options?: { readonly now: boolean }): void {
    if (this.#stopped.signal.aborted) return;
    this.#host.sendAll();
    const filling = this.#filling;
    const bytes = filling.bytes - filling.markedBytes;
    if (bytes > 0) {
      this.#markedAtMs = performance.now();
      this.#isBehind = bytes >= BEHIND_BYTES;
    }
    filling.markedBytes = filling.bytes;
    this.#marked = frontier;
    if (options?.now === true) this.#isUrgent = true;
    this.#closeWhenDue();
  }

  /**
   * Has what was committed before this run committed again soon, under our own name, if nothing new comes that is: from then on a former owner
   * finds that it is fenced. The partitions become part of the transaction already, while the source is being opened.
   */
  claim(): void {
    const { partitions, checkpoint } = this.#host;
    this.#joining.add(checkpoint);
    for (const partition of partitions.slice(0, CLAIMED_PARTITIONS_MAX)) this.#joining.add(partition);
    this.#joinSoon();
    this.#timer = setTimeout(() => {
      // What has no mark yet gets one in a moment, which closes at once.
      if (this.#filling.number === 1 && this.#filling.bytes === this.#filling.markedBytes) this.#close();
    }, CLAIM_AFTER_MS);
  }

  attach(receipt: Receipt): void {
    // A mark in between may have closed the transaction that has the records.
    const holder = this.#filling.bytes > 0 ? this.#filling : this.#committing;
    if (holder === undefined) return;
    receipt.waitsFor++;
    holder.receipts.push(receipt);
  }

  appended(bytes: number): void {
    const filling = this.#filling;
    if (filling.bytes === 0) filling.firstMs = performance.now();
    filling.bytes += bytes;
  }

  sealed(): void {
    this.#filling.unacknowledged++;
    this.#wantsTurn = this.#committing !== undefined || this.#isJoining;
  }

  /**
   * Whether the one who appends should let the event loop {@link turn}: encoding a large reply of the source takes it for so long
   * that each answer on the way from one transaction to the next would be read late, and nothing is sent until the last of them.
   */
  get wantsTurn(): boolean {
    return this.#wantsTurn;
  }

  /** Lets the event loop read what has come. */
  async turn(): Promise<void> {
    this.#wantsTurn = false;
    await new Promise((resolve) => setImmediate(resolve));
  }

  divided(transaction: number): void {
    this.#transaction(transaction).unacknowledged++;
  }

  admits(partition: PartitionWriter, transaction: number): boolean {
    if (transaction !== (this.#committing ?? this.#filling).number) return false;
    if (this.#joined.has(partition)) return true;
    this.#joining.add(partition);
    this.#joinSoon();
    return false;
  }

  /** The broker holds a batch. */
  acknowledged(batch: PendingBatch): void {
    this.#transaction(batch.transaction).unacknowledged--;
    if (this.#committing !== undefined) this.#endWhenAcknowledged();
    else if (this.#filling.unacknowledged === 0) this.#closeWhenDue();
  }

  /** Nothing is sent or committed any more. */
  stop(): void {
    this.#stopped.abort();
    clearTimeout(this.#timer);
  }

  #transaction(number: number): KafkaTransaction {
    if (number === this.#filling.number) return this.#filling;
    const committing = this.#committing?.number === number ? this.#committing : undefined;
    return must(committing, 'a batch belongs to a transaction that has ended');
  }

  #closeWhenDue(): void {
    const filling = this.#filling;
    if (this.#committing !== undefined || filling.bytes !== filling.markedBytes) return;
    if (filling.bytes === 0) {
      this.#isUrgent = false;
      if (this.#isFrontierOld) this.#close();
      return;
    }
    const leftMs = this.#dueAtMs() - performance.now();
    if (this.#isUrgent || leftMs <= 0 || filling.bytes >= LARGE_BYTES) {
      this.#close();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#closeWhenDue(), leftMs);
  }

  /** When the transaction that is being filled is closed if nothing more comes. */
  #dueAtMs(): number {
    const { intervalMs, partitions } = this.#host;
    const soonMs = this.#closedAtMs + intervalMs;
    if (!this.#isBehind) return soonMs;
    const stretchedMs = Math.min((this.#commitMs + this.#joinMs) * OPEN_PER_PAUSE, STRETCHED_INTERVAL_MAX_MS);
    const lateMs = Math.max(soonMs, this.#closedAtMs + stretchedMs);
    const isAllThere =
      this.#filling.unacknowledged === 0 && !partitions.some((partition) => partition.isBusy);
    return isAllThere ? Math.min(lateMs, Math.max(soonMs, this.#markedAtMs + QUIET_MS)) : lateMs;
  }

  get #isFrontierOld(): boolean {
    const marked = this.#marked;
    if (marked === undefined || performance.now() - this.#committedAtMs < IDLE_COMMIT_INTERVAL_MS)
      return false;
    const last = this.#lastCommitted;
    return (
      last === undefined ||
      marked.resumeAfter > last.resumeAfter ||
      marked.deliveredThrough > last.deliveredThrough
    );
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isUrgent = false;
    const { partitions, checkpoint } = this.#host;
    const closing = this.#filling;
    closing.frontier = this.#marked;
    for (const partition of partitions) partition.sealOpen();
    this.#host.writeFrontier(closing.frontier);
    checkpoint.sealOpen();
    this.#committing = closing;
    this.#closedAtMs = performance.now();
    this.#filling = newTransaction(closing.number + 1);
    for (const partition of partitions) this.#host.ready(partition);
    this.#host.ready(checkpoint);
  }

  #joinSoon(): void {
    if (this.#isJoining || this.#stopped.signal.aborted) return;
    this.#isJoining = true;
    this.#join()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isJoining = false;
        if (this.#joining.size > 0) this.#joinSoon();
      });
  }

  /** Makes all partitions that have something part of the transaction, in one request. */
  async #join(): Promise<void> {
    // Those that find out in the same turn come along.
    await Promise.resolve();
    const { coordinator, checkpoint, topic, checkpointTopic } = this.#host;
    while (this.#joining.size > 0) {
      if (!this.#joined.has(checkpoint)) this.#joining.add(checkpoint);
      const joining = [...this.#joining];
      this.#joining.clear();
      const indexes = joining.filter((partition) => partition !== checkpoint).map(({ index }) => index);
      const topics = indexes.length === 0 ? [] : [{ name: topic, partitions: indexes }];
      if (joining.includes(checkpoint))
        topics.push({ name: checkpointTopic, partitions: [checkpoint.index] });
      const askedAtMs = performance.now();
      await coordinator.add(topics, this.#stopped.signal);
      if (this.#joined.size === 0) this.#joinMs = performance.now() - askedAtMs;
      for (const partition of joining) {
        this.#joined.add(partition);
        // It may have asked again meanwhile.
        this.#joining.delete(partition);
      }
      for (const partition of joining) this.#host.ready(partition);
    }
  }

  #endWhenAcknowledged(): void {
    const committing = this.#committing;
    if (committing === undefined || committing.unacknowledged > 0 || this.#isEnding) return;
    this.#isEnding = true;
    this.#commit(committing)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isEnding = false;
      });
  }

  async #commit(transaction: KafkaTransaction): Promise<void> {
    failpoint('before-commit');
    const askedAtMs = performance.now();
    const mayComeAgain = await this.#host.coordinator.end('commit', this.#stopped.signal);
    failpoint('after-commit-before-receipt');
    if (mayComeAgain) await this.#renew();
    if (this.#stopped.signal.aborted) return;
    this.#committing = undefined;
    this.#lastCommitted = transaction.frontier;
    this.#committedAtMs = performance.now();
    this.#commitMs = this.#committedAtMs - askedAtMs;
    this.#joined.clear();
    for (const receipt of transaction.receipts) receipt.waitsFor--;
    for (const receipt of transaction.receipts) receipt.settle();
    this.#host.onCommitted();
    for (const partition of this.#host.partitions) this.#host.ready(partition);
    this.#closeWhenDue();
  }

  /** Nothing of the next transaction is on its way yet: all of it can have another epoch. */
  async #renew(): Promise<void> {
    const { coordinator, partitions, checkpoint } = this.#host;
    const producer = await coordinator.renew(this.#stopped.signal);
    for (const partition of [...partitions, checkpoint]) partition.renumber(producer);
  }

  #fail(error: unknown): void {
    if (this.#stopped.signal.aborted) return;
    this.stop();
    this.#host.fail(error);
  }
}

function newTransaction(number: number): KafkaTransaction {
  return {
    number,
    firstMs: 0,
    bytes: 0,
    markedBytes: 0,
    unacknowledged: 0,
    receipts: [],
    frontier: undefined,
  };
}
