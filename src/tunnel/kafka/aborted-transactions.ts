import type { RecordsBatch } from '@platformatic/kafka';

const CONTROL_BIT = 0x20;
const TRANSACTIONAL_BIT = 0x10;
/** Type of a control record, after its version (Kafka protocol guide, "Control Batch"). */
const CONTROL_TYPE_AT = 2;
const ABORT = 0;

/** The part of a fetch answer for one partition that says what was aborted. */
export interface FetchedPartition {
  readonly abortedTransactions?: ReadonlyArray<{ readonly producerId: bigint; readonly firstOffset: bigint }>;
}

/** Hides control batches, and what aborted transactions wrote, as Kafka's Java consumer does. */
export class AbortedTransactions {
  readonly #pending: { readonly producerId: bigint; readonly firstOffset: bigint }[];
  readonly #active = new Set<bigint>();

  constructor(answer: FetchedPartition) {
    this.#pending = [...(answer.abortedTransactions ?? [])].sort((a, b) =>
      a.firstOffset < b.firstOffset ? -1 : 1,
    );
  }

  hides(batch: RecordsBatch): boolean {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (
      let next = this.#pending[0];
      next !== undefined && next.firstOffset <= last;
      next = this.#pending[0]
    ) {
      this.#active.add(next.producerId);
      this.#pending.shift();
    }
    if ((batch.attributes & CONTROL_BIT) !== 0) {
      if (batch.records[0]?.key?.readInt16BE(CONTROL_TYPE_AT) === ABORT)
        this.#active.delete(batch.producerId);
      return true;
    }
    return (batch.attributes & TRANSACTIONAL_BIT) !== 0 && this.#active.has(batch.producerId);
  }
}
