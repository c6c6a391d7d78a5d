import type { EntryHeader } from '../oplog/entry-header.ts';
import type { Position } from '../oplog/position.ts';

/**
 * Takes the entries of one lane, in order. Used by one caller at a time.
 *
 * `append` encodes or copies before it returns: the entry's bytes may be dropped afterwards. It does
 * not send by itself for each entry; a writer sends when enough has gathered or at `flush`.
 */
export interface LaneWriter {
  /**
   * Adds one entry whose header has just been scanned.
   * @returns a promise only when the caller must wait before the next `append` (the window of unacknowledged
   * bytes is full); `undefined` on the hot path.
   */
  append(header: EntryHeader): Promise<void> | undefined;

  /**
   * Sends what has been appended. `onDurable` is called once, when everything appended before this
   * call is held by the far side (I3): for Kafka after the broker's answer with acks=all. Receipts of one
   * lane are called in the order of their flushes.
   */
  flush(onDurable: () => void): void;

  /** Bytes appended but not yet known to be durable. */
  readonly pendingBytes: number;
}

/** Counters of a tunnel since it was opened. */
export interface TunnelTraffic {
  /** Bytes that the far side holds, as they were sent. */
  readonly bytes: number;
  /** How often something had to be sent again. */
  readonly retries: number;
}

/** How far a source has been carried, over all lanes. */
export interface Frontier {
  /** Reading resumes after it: no transaction that is not carried yet begins at or below it (I6). */
  readonly resumeAfter: Position;
  /** Every entry at or below it is carried. Not below `resumeAfter`. */
  readonly deliveredThrough: Position;
  /** The part of the next transaction that is carried already, when a frontier had to lie in its middle. */
  readonly partial?: PartialTransaction | undefined;
}

export interface PartialTransaction {
  /** The entry that commits it. */
  readonly at: Position;
  /** How many of its operations are carried or filtered out: a changed filter does not shift the count. */
  readonly operations: number;
}

/** Exactly once (I8): the far side makes entries and the frontier up to which they reach durable in one step. */
export interface TunnelFrontiers {
  /** The frontier that the far side held when the tunnel was opened; undefined: none yet. */
  readonly committed: Frontier | undefined;

  /**
   * What has been appended so far reaches to this frontier. It becomes durable, with the frontier, at this mark or at a later
   * one, never in between, and receipts come then.
   * @param options.now do not wait for more: somebody waits for the receipts
   */
  mark(frontier: Frontier, options?: { readonly now: boolean }): void;

  /** A mark is overdue: `soon` when what was appended should be seen by now, `long` when it is time even within a transaction. */
  readonly overdue: 'no' | 'soon' | 'long';
}

/** Carries entries to the far side over all lanes. */
export interface Tunnel extends AsyncDisposable {
  /** Connects and checks the destination; an error names the cure. */
  open(signal: AbortSignal): Promise<void>;

  /** The writer of lane `index`, 0 .. lanes-1; always the same one. */
  lane(index: number): LaneWriter;

  /**
   * Aborts with the reason when the tunnel has failed for good (a record too large, no rights, fenced): nothing
   * appended and not yet reported durable will ever be. Passing trouble is retried inside, without an end.
   */
  readonly failed: AbortSignal;

  /** Whether the far side takes messages at the moment, and if not, what is wrong, for status pages. */
  readonly trouble: string | undefined;

  /** For tunnels that deliver exactly once; undefined: at least once. */
  readonly frontiers?: TunnelFrontiers | undefined;

  /** What has been carried so far. */
  readonly traffic: TunnelTraffic;

  /** Waits until all that was flushed is durable, or the signal aborts. */
  drain(signal: AbortSignal): Promise<void>;
}
