import type { EntryEncoder } from '../../../message/entry-encoder.ts';
import type { EntryHeader } from '../../../oplog/entry-header.ts';
import { must } from '../../../shared/assert.ts';
import type { ByteWriter } from '../../../shared/byte-writer.ts';
import type { ProducerIdentity } from '../client/producer-identity.ts';
import type { PartitionHost } from './partition-host.ts';
import { PendingBatch, type EntryPlace, type Receipt } from './pending-batch.ts';
import { splitBatch } from './split-batch.ts';

/** A broker keeps the last five batches of a producer to recognise repeats: more in flight would not be safe. */
const IN_FLIGHT_MAX = 5;
/** After such a pause the broker may have forgotten the producer; see {@link PartitionWriter.takeNext}. */
const CONFIRM_AFTER_IDLE_MS = 60_000;
/** Sequences are 31-bit numbers that begin again at 0. */
const SEQUENCE_MASK = 0x7fff_ffff;

/**
 * The one ordered queue of a partition, shared by all lanes that write to it: a batch that is being filled, then the
 * sealed batches up to the last one that is not yet acknowledged.
 *
 * Order (I2) and no loss (I3) across every error: batches carry sequences; after an error nothing more is sent
 * until all that is in flight has been answered or its connection is gone, then everything unacknowledged is
 * sent again, in order, with the same sequences, one batch alone at first. The broker drops what it has already.
 */
export class PartitionWriter {
  readonly index: number;
  /** Node that leads the partition; -1: none at the moment. */
  leader = -1;
  /** Nothing may be sent until {@link resume}. */
  blocked = false;
  /** The broker has lost count; {@link renumber} must come before {@link resume}. */
  needsNewProducer = false;
  /** What is wrong, for people. */
  trouble: string | undefined;
  readonly #host: PartitionHost;
  #producer: ProducerIdentity = { id: -1n, epoch: -1 };
  #nextSequence = 0;
  #open: PendingBatch | undefined;
  readonly #batches: PendingBatch[] = [];
  /** Index in #batches of the first that is not sent. */
  #next = 0;
  #inFlight = 0;
  /** Whether the broker has acknowledged something since it could have forgotten us. */
  #confirmed = false;
  #lastDoneAtMs = 0;
  /** Offset that the last acknowledged batch was given since {@link resume}. */
  #lastOffset = -1;
  #lastLength = 0;
  /** The broker takes less than it did. */
  #mustSplit = false;

  constructor(index: number, host: PartitionHost) {
    this.index = index;
    this.#host = host;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  /**
   * Adds a record whose value `encoder` writes for the entry, now or, where encoding has threads, one like it later.
   * @param key undefined: a record without a key
   * @returns the bytes of the record, or of the entry if it is encoded later
   * @throws what the encoder throws
   */
  append(lane: number, header: EntryHeader, encoder: EntryEncoder, key: ByteWriter | undefined): number {
    const batch = (this.#open ??= this.#newBatch(header, this.#host.preparer.gathers));
    if (batch.block !== undefined) return this.#appended(lane, batch.block.append(header), header, key);
    const before = batch.builder.length;
    batch.builder.append(header, encoder, key);
    return this.#appended(lane, batch.builder.length - before, header, key);
  }

  /**
   * Adds a record.
   * @param place the first entry that the value is about
   * @param record `bytes` holds the value up to `valueEnd`, and behind it its headers with their number, if any
   * @returns the bytes of the record
   */
  appendBytes(
    lane: number,
    place: EntryPlace,
    record: { bytes: Buffer; valueEnd: number; key?: ByteWriter },
  ): number {
    const { bytes, valueEnd, key } = record;
    const batch = (this.#open ??= this.#newBatch(place, false));
    const before = batch.builder.length;
    batch.builder.appendBytes({
      timestampMs: Date.now(),
      key,
      source: bytes,
      start: 0,
      end: valueEnd,
      headersEnd: bytes.length,
    });
    return this.#appended(lane, batch.builder.length - before, place, key);
  }

  /** Makes `receipt` wait for everything appended so far, and has it sent soon. */
  attach(receipt: Receipt): void {
    const open = this.#open;
    const newest = open !== undefined && open.count > 0 ? open : this.#batches.at(-1);
    if (newest === undefined) return;
    receipt.waitsFor++;
    newest.receipts.push(receipt);
    this.requestFlush();
  }

  /** Sends what has been appended as soon as the broker has a free slot. */
  requestFlush(): void {
    const open = this.#open;
    if (open === undefined || open.count === 0 || open.flushRequested) return;
    open.flushRequested = true;
    this.#host.ready(this, false);
  }

  /** Ends the batch that is being filled, for a transaction that ends here. */
  sealOpen(): void {
    if (this.#open !== undefined && this.#open.count > 0) this.#seal();
  }

  /** Whether anything is not yet acknowledged. */
  get isBusy(): boolean {
    return this.#batches.length > 0 || (this.#open !== undefined && this.#open.count > 0);
  }

  /**
   * The next batch to send, or undefined. One batch goes alone until the broker has acknowledged one: it takes any
   * first sequence of a producer that it does not know, so that the second batch would pass where the first was refused.
   */
  takeNext(): PendingBatch | undefined {
    if (this.blocked) return undefined;
    if (this.#inFlight === 0 && performance.now() - this.#lastDoneAtMs > CONFIRM_AFTER_IDLE_MS) {
      this.#confirmed = false;
    }
    if (this.#inFlight >= (this.#confirmed ? IN_FLIGHT_MAX : 1)) return undefined;
    while (this.#batches[this.#next]?.acknowledged) this.#next++;
    const { transactions } = this.#host;
    if (this.#next === this.#batches.length) {
      if (this.#open?.flushRequested !== true || this.#open.count === 0) return undefined;
      if (transactions?.admits(this, transactions.filling) === false) return undefined;
      this.#seal();
    }
    const batch = this.#batches[this.#next];
    if (batch?.wire === undefined) return undefined;
    if (transactions?.admits(this, batch.transaction) === false) return undefined;
    this.#next++;
    this.#inFlight++;
    return batch;
  }

  /**
   * Whether a batch was given a lower offset than the one before it: then the topic may have been deleted and made anew under
   * our feet. Not a proof (a repeat is answered with its first offset): look at the topic, then {@link resume}.
   */
  offsetWentBack(baseOffset: number): boolean {
    const wentBack = baseOffset >= 0 && baseOffset <= this.#lastOffset;
    this.#lastOffset = baseOffset;
    return wentBack;
  }

  /** The broker holds the batch. */
  done(batch: PendingBatch): void {
    this.#inFlight--;
    this.#lastDoneAtMs = performance.now();
    batch.acknowledged = true;
    if (batch === this.#batches[0]) {
      this.#confirmed = true;
      if (!this.blocked) this.trouble = undefined;
    }
    for (let first = this.#batches[0]; first?.acknowledged; first = this.#batches[0]) {
      this.#batches.shift();
      if (this.#next > 0) this.#next--;
      this.#host.preparer.release(first);
      this.#host.acknowledged(first);
    }
  }

  /** The batch was refused, or nobody knows: stop, and send again after {@link resume}. */
  undone(trouble: string): void {
    this.#inFlight--;
    this.block(trouble);
  }

  /** The broker does not know our sequence. Only about the first batch that says something. */
  outOfSequence(batch: PendingBatch, trouble: string): void {
    if (batch === this.#batches[0]) this.needsNewProducer = true;
    this.undone(trouble);
  }

  /** The broker finds the batch too long although we thought that it is not: from now on all are half as long. */
  tooLarge(batch: PendingBatch, trouble: string): void {
    this.undone(trouble);
    if (batch !== this.#batches[0]) return;
    if (batch.count === 1) {
      this.#host.recordTooLarge(batch, batch.wireBytes.length);
      return;
    }
    const { limits } = this.#host;
    limits.targetBytes = Math.min(limits.targetBytes, Math.ceil(batch.builder.length / 2));
    this.#mustSplit = true;
  }

  block(trouble: string): void {
    this.blocked = true;
    this.trouble = trouble;
  }

  /** Goes on after an error, from the first unacknowledged batch; nothing may be in flight. */
  resume(): void {
    this.blocked = false;
    this.#confirmed = false;
    this.#next = 0;
    this.#lastOffset = -1;
    if (this.#mustSplit) this.#splitAll();
  }

  /** Begins the sequence anew under another producer id; nothing may be in flight. */
  renumber(producer: ProducerIdentity): void {
    this.needsNewProducer = false;
    this.#confirmed = false;
    this.#producer = producer;
    this.#nextSequence = 0;
    for (const batch of this.#batches) {
      if (batch.acknowledged) continue;
      this.#number(batch);
      if (batch.wire !== undefined) this.#finish(batch);
    }
  }

  /** Gives all memory back; nothing can be sent any more. */
  dispose(): void {
    this.blocked = true;
    const { preparer } = this.#host;
    for (const batch of this.#batches.splice(0)) preparer.release(batch);
    if (this.#open !== undefined) preparer.release(this.#open);
    this.#open = undefined;
  }

  #newBatch(first: EntryPlace, gathers: boolean): PendingBatch {
    const { pool, limits, lanes, withHeaders } = this.#host;
    // As large as the last one was, so that a quiet partition holds little.
    const chunk = pool.take(Math.min(limits.targetBytes, this.#lastLength + this.#lastLength / 4));
    this.#host.hold(chunk.length);
    return new PendingBatch(first, chunk, { lanes, withHeaders, gathers });
  }

  /** Counts the record that has just been added, and seals the batch when it is full. Returns the record's bytes. */
  #appended(lane: number, recordBytes: number, place: EntryPlace, key: ByteWriter | undefined): number {
    const batch = must(this.#open, 'a record was added to no batch');
    const { builder, block } = batch;
    const { limits, preparer } = this.#host;
    this.#noteGrowth(batch, block?.chunk ?? builder.out.bytes);
    if (block === undefined && builder.count > 1 && builder.length > limits.maxBytes) {
      return this.#moveLast(lane, place, key);
    }
    batch.laneBytes[lane] += recordBytes;
    this.#host.transactions?.appended(recordBytes);
    if (preparer.lengthOf(batch) + recordBytes >= limits.targetBytes) {
      this.#seal();
      this.#host.ready(this, true);
    }
    return recordBytes;
  }

  /** The last record made the batch too long: it becomes the first of the next batch. */
  #moveLast(lane: number, place: EntryPlace, key: ByteWriter | undefined): number {
    const { builder } = must(this.#open, 'there is no record to move');
    const next = this.#newBatch(place, false);
    const before = next.builder.length;
    next.builder.appendBytes({
      timestampMs: Date.now(),
      key,
      source: builder.out.bytes,
      start: builder.lastValueAt,
      end: builder.lastValueEnd,
      headersEnd: builder.lastRecordEnd,
    });
    builder.dropLast();
    this.#seal();
    this.#open = next;
    this.#host.ready(this, true);
    return this.#appended(lane, next.builder.length - before, place, key);
  }

  #noteGrowth(batch: PendingBatch, chunk: Buffer): void {
    if (chunk === batch.chunk) return;
    const { pool, preparer } = this.#host;
    pool.give(batch.chunk);
    batch.chunk = chunk;
    preparer.setHeld(batch, chunk.length);
  }

  #seal(): void {
    const batch = must(this.#open, 'there is no batch to seal');
    this.#open = undefined;
    this.#lastLength = batch.block?.length ?? batch.builder.length;
    batch.transaction = this.#host.transactions?.filling ?? 0;
    this.#host.transactions?.sealed();
    this.#number(batch);
    this.#batches.push(batch);
    this.#prepare(batch);
  }

  #prepare(batch: PendingBatch): void {
    this.#host.preparer.prepare(batch, () => this.#prepared(batch));
  }

  /** The batch is encoded and packed. Only then is it known how long it is. */
  #prepared(batch: PendingBatch): void {
    const { limits } = this.#host;
    if (batch.packed === undefined && batch.count > 1 && batch.builder.length > limits.maxBytes) {
      this.#divide(batch);
      return;
    }
    this.#finish(batch);
    const { length: bytes } = batch.wireBytes;
    if (bytes > limits.maxBytes) this.#host.recordTooLarge(batch, bytes);
    else this.#host.ready(this, false);
  }

  /** Halves batches until all are as long as the broker may take; sequences stay as they are, record by record. */
  #splitAll(): void {
    this.#mustSplit = false;
    const { limits } = this.#host;
    for (let i = 0; i < this.#batches.length;) {
      const { acknowledged, block, builder } = this.#batches[i];
      const isDone = acknowledged || block !== undefined || builder.count === 1;
      if (isDone || builder.length <= limits.targetBytes) i++;
      else this.#divide(this.#batches[i]);
    }
  }

  /** Puts two halves in the place of a batch that is not on its way. */
  #divide(batch: PendingBatch): void {
    const { pool, lanes, transactions, preparer } = this.#host;
    const halves = splitBatch(batch, (first, bytes) => {
      const half = new PendingBatch(first, pool.take(bytes), { lanes, withHeaders: false });
      this.#host.hold(half.heldBytes);
      half.transaction = batch.transaction;
      return half;
    });
    transactions?.divided(batch.transaction);
    preparer.release(batch);
    this.#batches.splice(this.#batches.indexOf(batch), 1, ...halves);
    let sequence = batch.baseSequence;
    for (const half of halves) {
      half.baseSequence = sequence;
      sequence = (sequence + half.count) & SEQUENCE_MASK;
    }
    for (const half of halves) this.#prepare(half);
  }

  #number(batch: PendingBatch): void {
    batch.baseSequence = this.#nextSequence;
    this.#nextSequence = (this.#nextSequence + batch.count) & SEQUENCE_MASK;
  }

  #finish(batch: PendingBatch): void {
    const { compressor, transactions } = this.#host;
    const { packed, builder, checksum, baseSequence } = batch;
    batch.wire = packed ?? builder.out.view();
    batch.sentBytes = batch.wire.length;
    const { id: producerId, epoch: producerEpoch } = this.#producer;
    builder.finish(
      batch.wire,
      { producerId, producerEpoch, baseSequence },
      {
        compression: packed === undefined ? 0 : compressor?.bits,
        transactional: transactions !== undefined,
        checksum,
      },
    );
  }
}
