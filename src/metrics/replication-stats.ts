import type { Position } from '../oplog/position.ts';

/** The life of a replication; pages and metrics show it by these names. */
export type ReplicationState =
  'starting' | 'streaming' | 'paused' | 'stalled' | 'stopping' | 'stopped' | 'failed';

/** Counters of one lane (MongoShake's worker). Plain numbers: the hot path adds to them. */
export class LaneStats {
  readonly index: number;
  /** Entries given to the lane. */
  entries = 0;
  /** Batches sent and not yet durable. */
  batchesInFlight = 0;
  /** Entries sent and not yet durable. */
  entriesInFlight = 0;
  /** Highest position given to the lane, and the highest durable. */
  lastGiven: Position = 0n;
  lastDurable: Position = 0n;

  constructor(index: number) {
    this.index = index;
  }
}

/**
 * Everything that is counted for one source. The pipeline writes plain numbers; REST pages and Prometheus read
 * them when asked, so that counting costs next to nothing.
 */
export class ReplicationStats {
  /** Replica-set name. */
  name: string;
  state: ReplicationState = 'starting';
  /** Why the state is `stalled` or `failed`. */
  reason = '';

  entriesRead = 0;
  bytesRead = 0;
  batchesRead = 0;
  entriesFiltered = 0;
  /** Operations given to lanes (a transaction counts each of its operations). */
  entriesGiven = 0;
  /** Operations that the far side holds. */
  entriesDurable = 0;
  inserts = 0;
  updates = 0;
  deletes = 0;
  commands = 0;
  noops = 0;
  transactions = 0;
  /** Message bytes that the far side holds. */
  bytesDurable = 0;
  sendRetries = 0;
  sourceReconnects = 0;

  /** MongoShake's lsn, lsn_ack and lsn_ckpt. */
  lastGiven: Position = 0n;
  lastDurable: Position = 0n;
  lastCheckpoint: Position = 0n;
  /** Last position read, filtered or not. */
  lastRead: Position = 0n;
  checkpointsWritten = 0;
  checkpointFailures = 0;
  /** `Date.now()` of the last successful checkpoint; 0: none yet. */
  lastCheckpointAtMs = 0;

  /** Largest entry seen, and the running average, in bytes. */
  entryBytesMax = 0;
  entryBytesAvg = 0;

  /** First and last position of the source's oplog when last asked. */
  oplogOldest: Position = 0n;
  oplogNewest: Position = 0n;

  readonly startedAtMs = Date.now();
  readonly lanes: LaneStats[];

  constructor(name: string, lanes: number) {
    this.name = name;
    this.lanes = Array.from({ length: lanes }, (_, i) => new LaneStats(i));
  }
}
