/** What a batch says about its transaction. */
export interface TransactionalBatch {
  readonly firstOffset: bigint;
  readonly lastOffsetDelta: number;
  /** Bits of the record batch: 0x10 transactional, 0x20 control. */
  readonly attributes: number;
  readonly producerId: bigint;
}

/** A transaction that was aborted, as the answer to a read_committed fetch names it. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

const CONTROL_BIT = 0x20;
const TRANSACTIONAL_BIT = 0x10;
/** Type of a control record, after its version (Kafka protocol guide, "Control Batch"). */
const CONTROL_TYPE_AT = 2;
const ABORT = 0;

/** Hides control batches, and what aborted transactions wrote, in the batches of one fetch, as Kafka's Java consumer does. */
export class AbortedTransactions {
  readonly #pending: readonly AbortedTransaction[];
  readonly #active = new Set<bigint>();
  #begun = 0;

  /** @param aborted of the answer that the batches are from; null when there are none */
  constructor(aborted: readonly AbortedTransaction[] | null | undefined) {
    this.#pending = [...(aborted ?? [])].sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  }

  /**
   * Whether a reader must not see the batch; asked for each batch in turn.
   * @param controlKey key of the first record; called for control batches only
   */
  hides(batch: TransactionalBatch, controlKey: () => Buffer | null | undefined): boolean {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (let next = this.#pending[this.#begun]; next !== undefined && next.firstOffset <= last;) {
      this.#active.add(next.producerId);
      next = this.#pending[++this.#begun];
    }
    if ((batch.attributes & CONTROL_BIT) !== 0) {
      if (controlKey()?.readInt16BE(CONTROL_TYPE_AT) === ABORT) this.#active.delete(batch.producerId);
      return true;
    }
    return (batch.attributes & TRANSACTIONAL_BIT) !== 0 && this.#active.has(batch.producerId);
  }
}
