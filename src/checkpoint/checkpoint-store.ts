import type { Position } from '../oplog/position.ts';

/** What a checkpoint says: every entry at or below `position` is durable at the far side (I1). */
export interface Checkpoint {
  /** Replica-set name: the key of the document. */
  readonly name: string;
  readonly position: Position;
  /** MongoShake's `fetch_method`; never compared. */
  readonly fetchMethod: string;
  /** MongoShake's `oplog_disk_queue`; not empty only where its full sync spooled to disk. */
  readonly diskQueue: string;
}

/** Keeps checkpoints where MongoShake's tools find them. */
export interface CheckpointStore extends AsyncDisposable {
  /** The checkpoint of `name`, or undefined when there is none. @throws CheckpointError */
  load(name: string): Promise<Checkpoint | undefined>;

  /** The same store for the holder of a lease: it shares what this one has open, and ends with it. */
  ofTerm(term: bigint): CheckpointStore;

  /**
   * Makes sure that no holder of an earlier term can store anything from now on; to be called before {@link load} by a store
   * that was given a term (I5).
   */
  claim(name: string): Promise<void>;

  /** Stores it, majority-durable. Moves forward only: a stored position that is higher already stays. @throws CheckpointError, also when a later term has claimed it */
  save(checkpoint: Checkpoint): Promise<void>;
}
