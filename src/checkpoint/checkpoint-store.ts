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

  /** Stores it, majority-durable. Moves forward only: a stored position that is higher already stays. @throws CheckpointError */
  save(checkpoint: Checkpoint): Promise<void>;
}
