import type { Position } from '../oplog/position.ts';

/**
 * One reply of the server: a BSON array of entries, in oplog order, as the bytes that came over the
 * wire. Nothing is decoded. `bytes` may be handed on or held; the source never writes into it again.
 */
export interface RawBatch {
  readonly bytes: Buffer;
  /** Offset in `bytes` of the BSON array document that holds the entries (its length word). */
  readonly arrayAt: number;
  /** Size that counts against the memory budget; taken by the source, given back by the one who handles the batch. */
  readonly budgetBytes: number;
  /** When the reply was complete, `performance.now()`. */
  readonly receivedAtMs: number;
}

/** What an oplog holds: the positions of its first and last entry. */
export interface OplogWindow {
  readonly oldest: Position;
  readonly newest: Position;
}

/** A place where changes come from: one replica set. */
export interface ChangeSource extends AsyncDisposable {
  /** The replica set's name, as MongoShake names checkpoints; known after {@link open}. */
  readonly name: string;

  /** Connects, checks versions and rights, learns the name. */
  open(signal: AbortSignal): Promise<void>;

  /** The oplog's first and last positions. */
  window(signal: AbortSignal): Promise<OplogWindow>;

  /**
   * All entries after `after`, in order, without a gap or a repeat, across elections, dead cursors,
   * cut sockets and restarts of mongod. Pulling is the back-pressure; the next batch is fetched while
   * the last one is handled. Ends when the signal aborts.
   * @throws PositionLostError when the oplog no longer holds the entry after `after` (I7).
   */
  read(after: Position, signal: AbortSignal): AsyncIterable<RawBatch>;

  /**
   * The entries at exactly these positions, in oplog order (parts of a large or prepared transaction,
   * read again at its commit so that open transactions cost no memory).
   * @throws PositionLostError when one of them is gone.
   */
  fetch(positions: readonly Position[], signal: AbortSignal): AsyncIterable<RawBatch>;
}
