import { BsonType } from '../bson/bson-type.ts';
import { readInt32 } from '../bson/read-value.ts';
import type { EntryHeader } from './entry-header.ts';
import type { Position } from './position.ts';
import { previousPosition } from './previous-position.ts';

/** Where the data of a committed transaction lies in the oplog. */
export interface TransactionParts {
  /** Positions of the parts before the committing entry, in oplog order; a prepare entry is one of them. */
  readonly positions: readonly Position[];
  /** Whether `positions` begins with the transaction's first part. */
  readonly complete: boolean;
  /**
   * Unless complete: the next older part. Fetch it and follow its `prevOpTime` (`previousPosition`) until
   * that is undefined, or until an entry is met that is neither a part nor a prepare.
   */
  readonly continueAt: Position | undefined;
}

interface OpenTransaction {
  key: string;
  readonly session: string;
  readonly txnNumber: bigint;
  readonly positions: Position[];
  /** `prevOpTime` of the first part that was seen. */
  readonly before: Position | undefined;
  prepared: boolean;
}

/**
 * The transactions whose parts have been read but not their commit: positions only, never bytes, so that
 * an open transaction of any size costs next to nothing. Its parts are read again at the commit.
 *
 * Entries must come in oplog order. A transaction is known by (lsid, txnNumber); large batched writes
 * of 7.1+ have neither and are known by their chain of `prevOpTime`.
 */
export class TransactionTable {
  /** In order of first part, so that its first element is the oldest. */
  readonly #open = new Set<OpenTransaction>();
  readonly #byKey = new Map<string, OpenTransaction>();
  readonly #bySession = new Map<string, OpenTransaction>();
  #oldest: OpenTransaction | undefined;

  /** How many transactions are open. */
  get size(): number {
    return this.#open.size;
  }

  /** The first part of the oldest open transaction: the checkpoint must stay below it (I6). */
  get oldestOpen(): Position | undefined {
    return this.#oldest?.positions[0];
  }

  /** Remembers a part or a prepare entry. An entry that is read twice is noted once. */
  note(header: EntryHeader, options: { prepare: boolean }): void {
    this.supersede(header);
    const position = header.position;
    const previous = previousPosition(header);
    let open = this.#find(header, previous);
    if (open === undefined) {
      const session = sessionOf(header);
      open = {
        key: keyOf(session, txnNumberOf(header), position),
        session,
        txnNumber: txnNumberOf(header),
        positions: [],
        before: previous,
        prepared: false,
      };
      this.#open.add(open);
      this.#oldest ??= open;
      if (session !== '') this.#bySession.set(session, open);
    } else if (position <= open.positions[open.positions.length - 1]) {
      return;
    }
    open.positions.push(position);
    open.prepared ||= options.prepare;
    this.#byKey.delete(open.key);
    open.key = keyOf(open.session, open.txnNumber, position);
    this.#byKey.set(open.key, open);
  }

  /**
   * Closes the transaction that this entry (its last part, or the commit of a prepared one) commits.
   * @returns where its earlier data lies. When nothing, or not all, is known (reading began in its middle),
   * `complete` is false and the caller walks on from `continueAt`.
   */
  take(header: EntryHeader): TransactionParts {
    this.supersede(header);
    const previous = previousPosition(header);
    const open = this.#find(header, previous);
    if (open !== undefined) this.#remove(open);
    const last = open?.positions[open.positions.length - 1];
    if (open === undefined || (previous !== undefined && last !== previous)) {
      return { positions: [], complete: previous === undefined, continueAt: previous };
    }
    return { positions: open.positions, complete: open.before === undefined, continueAt: open.before };
  }

  /** Forgets the transaction that this entry aborts. @returns whether it was open. */
  abort(header: EntryHeader): boolean {
    const open = this.#find(header, previousPosition(header));
    if (open !== undefined) this.#remove(open);
    return open !== undefined;
  }

  /**
   * Drops an older unprepared transaction of the entry's session: a session that has moved on to a newer
   * txnNumber never commits it. Call it for entries with an lsid while {@link size} is not 0.
   */
  supersede(header: EntryHeader): void {
    if (this.#bySession.size === 0 || header.lsidAt === 0) return;
    const open = this.#bySession.get(sessionOf(header));
    if (open !== undefined && !open.prepared && open.txnNumber < txnNumberOf(header)) this.#remove(open);
  }

  /** Forgets everything, for a source that begins anew. */
  clear(): void {
    this.#open.clear();
    this.#byKey.clear();
    this.#bySession.clear();
    this.#oldest = undefined;
  }

  #find(header: EntryHeader, previous: Position | undefined): OpenTransaction | undefined {
    const session = sessionOf(header);
    if (session === '') {
      const same = this.#byKey.get(keyOf('', 0n, header.position));
      return same ?? (previous === undefined ? undefined : this.#byKey.get(keyOf('', 0n, previous)));
    }
    return this.#byKey.get(keyOf(session, txnNumberOf(header), 0n));
  }

  #remove(open: OpenTransaction): void {
    this.#open.delete(open);
    this.#byKey.delete(open.key);
    if (this.#bySession.get(open.session) === open) this.#bySession.delete(open.session);
    if (this.#oldest !== open) return;
    this.#oldest = undefined;
    for (const next of this.#open) {
      this.#oldest = next;
      break;
    }
  }
}

/** The lsid's bytes as a map key; empty when the entry has no session or no transaction number. */
function sessionOf(header: EntryHeader): string {
  const { bytes, lsidAt } = header;
  if (lsidAt === 0 || header.txnNumberAt === 0) return '';
  return bytes.toString('latin1', lsidAt, lsidAt + readInt32(bytes, lsidAt));
}

function txnNumberOf(header: EntryHeader): bigint {
  const { bytes, txnNumberAt } = header;
  if (txnNumberAt === 0) return 0n;
  return header.txnNumberType === BsonType.int64
    ? bytes.readBigInt64LE(txnNumberAt)
    : BigInt(readInt32(bytes, txnNumberAt));
}

/** A chain without a session is found by its newest part, the one that the next part's `prevOpTime` names. */
function keyOf(session: string, txnNumber: bigint, newest: Position): string {
  return session === '' ? `@${newest}` : `${txnNumber} ${session}`;
}
