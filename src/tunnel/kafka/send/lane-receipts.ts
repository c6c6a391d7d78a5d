import type { PartitionWriter } from './partition-writer.ts';
import type { Receipt } from './pending-batch.ts';

/** Takes the receipts of what was appended before: transactions, whose end they wait for. */
export interface ReceiptHolder {
  /** Makes `receipt` wait for everything appended so far. */
  attach(receipt: Receipt): void;
}

/** The receipts of one lane: each is given when all its batches are durable and all receipts before it have been given. */
export class LaneReceipts {
  readonly #holder: ReceiptHolder | undefined;
  readonly #waiting: Receipt[] = [];
  /** Partitions that the lane has written to since its last flush. */
  readonly #touched = new Set<PartitionWriter>();
  #last: PartitionWriter | undefined;

  /** @param holder where receipts wait; undefined: with the batches of the partitions */
  constructor(holder?: ReceiptHolder) {
    this.#holder = holder;
  }

  /** Whether a receipt has still to be given. */
  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Notes that the next receipt has to wait for what the partition holds now. */
  touch(partition: PartitionWriter): void {
    if (partition === this.#last) return;
    this.#last = partition;
    this.#touched.add(partition);
  }

  /** Has everything appended since the last flush sent; calls `onDurable` when it is durable. */
  flush(onDurable: () => void): void {
    const receipt: Receipt = { waitsFor: 0, onDurable, settle: () => this.#settle() };
    this.#waiting.push(receipt);
    if (this.#holder === undefined) {
      for (const partition of this.#touched) partition.attach(receipt);
    } else if (this.#touched.size > 0) {
      this.#holder.attach(receipt);
      for (const partition of this.#touched) partition.requestFlush();
    }
    this.#touched.clear();
    this.#last = undefined;
    if (receipt.waitsFor === 0) this.#settle();
  }

  #settle(): void {
    while (this.#waiting[0]?.waitsFor === 0) this.#waiting.shift()?.onDurable();
  }
}
