import { secondsOf, type Position } from '../oplog/position.ts';
import { RateMeter } from './rate-meter.ts';

/** The life of a replication; pages and metrics show it by these names. */
export type ReplicationState =
  'standby' | 'starting' | 'streaming' | 'paused' | 'stalled' | 'stopping' | 'stopped' | 'failed';

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
  /** Operations that became durable in the last second; the pipeline adds with every acknowledgement. */
  readonly durableRate = new RateMeter();

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

  /** First and last position of the source's oplog when last asked, see {@link noteWindow}. */
  oplogOldest: Position = 0n;
  oplogNewest: Position = 0n;
  /** `Date.now()` just before the source was asked; 0: not yet. */
  windowAskedAtMs = 0;
  /** Where this run began to read after: the checkpoint, or the start position. */
  startPosition: Position = 0n;
  /** Wall clock of the source at {@link lastDurable}, in milliseconds; 0: its timestamp's seconds are taken. */
  lastDurableWallMs = 0;

  /** What is wrong at the far side, and since when (`Date.now()`); empty and 0 while it takes messages. */
  tunnelTrouble = '';
  tunnelTroubleSinceMs = 0;

  readonly startedAtMs = Date.now();
  /** Everything that the source held at this time is done; 0: not known. */
  #caughtUpAtMs = 0;
  #movedAtMs = this.startedAtMs;
  #movedTo: Position = 0n;
  readonly lanes: LaneStats[];
  /** Operations that were on their way when the replication began again. */
  #abandoned = 0;

  constructor(name: string, lanes: number) {
    this.name = name;
    this.lanes = Array.from({ length: lanes }, (_, i) => new LaneStats(i));
  }

  /** Operations that were given to lanes and are not durable yet. */
  get outstanding(): number {
    return this.entriesGiven - this.entriesDurable - this.#abandoned;
  }

  /** Forgets what was on its way, for a replication that begins again: it is read once more. */
  abandonOutstanding(): void {
    this.#abandoned += this.outstanding;
    this.lastRead = this.lastDurable;
    for (const lane of this.lanes) lane.entriesInFlight = lane.batchesInFlight = 0;
  }

  /** Up to here everything is done: durable at the far side, or read and found to be of no concern. */
  get donePosition(): Position {
    let done = this.startPosition > this.lastDurable ? this.startPosition : this.lastDurable;
    if (this.outstanding === 0 && this.lastRead > done) done = this.lastRead;
    return done;
  }

  /** Whether everything that the source held when it was last asked is done. */
  get caughtUp(): boolean {
    return this.windowAskedAtMs > 0 && this.donePosition >= this.oplogNewest;
  }

  /**
   * Notes what the source's oplog holds; the collector asks every few seconds, and lag, oplog window and
   * health live on it.
   * @param askedAtMs `Date.now()` before the question: all that was written until then is at or below `newest`.
   */
  noteWindow(window: { oldest: Position; newest: Position }, askedAtMs: number): void {
    if (this.caughtUp) this.#caughtUpAtMs = this.windowAskedAtMs;
    this.oplogOldest = window.oldest;
    this.oplogNewest = window.newest;
    this.windowAskedAtMs = askedAtMs;
    const done = this.donePosition;
    if (done !== this.#movedTo || this.caughtUp) this.#movedAtMs = askedAtMs;
    this.#movedTo = done;
  }

  /** Notes whether the far side takes messages (`Tunnel.trouble`). */
  noteTunnelTrouble(trouble: string | undefined, nowMs: number): void {
    if (trouble === undefined) this.tunnelTroubleSinceMs = 0;
    else if (this.tunnelTroubleSinceMs === 0) this.tunnelTroubleSinceMs = nowMs;
    this.tunnelTrouble = trouble ?? '';
  }

  /**
   * Upper bound of the age of the oldest entry that is not done, in milliseconds.
   *
   * An idle source has no lag, and one entry after an idle hour is not an hour late; so besides the wall clock of
   * the last entry that is done we use that all the source held at a certain time was done. 0 when the source was
   * asked within `freshMs` and held nothing newer. NaN when nothing is known yet. Compares the clocks of two
   * hosts, as every lag by wall clock does.
   */
  lagMs(nowMs: number, freshMs = 15_000): number {
    const done = this.donePosition;
    if (this.caughtUp && this.outstanding === 0 && nowMs - this.windowAskedAtMs <= freshMs) return 0;
    if (done === 0n) return Number.NaN;
    const exact = done === this.lastDurable && this.lastDurableWallMs > 0;
    // Before the first entry is done, a start "from the oldest" lies in 1970; what is late is the oplog's first entry.
    const wallMs = exact ? this.lastDurableWallMs : secondsOf(maxOf(done, this.oplogOldest)) * 1000;
    const knownAtMs = this.caughtUp ? this.windowAskedAtMs : this.#caughtUpAtMs;
    return Math.max(0, nowMs - Math.max(wallMs, knownAtMs));
  }

  /** For how long the done position has stood still although the source's oplog went on, in milliseconds. */
  stuckMs(nowMs: number): number {
    return this.windowAskedAtMs === 0 ? 0 : Math.max(0, nowMs - this.#movedAtMs);
  }

  /** Seconds of oplog between its oldest entry and what is done; NaN while unknown, 0 when the position is lost. */
  get oplogWindowLeftSeconds(): number {
    if (this.windowAskedAtMs === 0) return Number.NaN;
    return Math.max(0, secondsOf(this.donePosition) - secondsOf(this.oplogOldest));
  }

  /** The share of the oplog's time span that lies behind what is done: 1 all of it, 0 the position is lost. */
  get oplogWindowLeftRatio(): number {
    if (this.windowAskedAtMs === 0) return Number.NaN;
    const done = this.donePosition;
    if (done >= this.oplogNewest) return 1;
    if (done < this.oplogOldest) return 0;
    const span = Number(this.oplogNewest - this.oplogOldest);
    return span === 0 ? 1 : Number(done - this.oplogOldest) / span;
  }

  /**
   * For how long something that is done has not been in the checkpoint, in milliseconds: 0 while the checkpoint
   * has everything, else the time since the last one was written (or since the start).
   */
  checkpointAgeMs(nowMs: number): number {
    if (this.lastCheckpoint >= this.donePosition) return 0;
    return Math.max(0, nowMs - Math.max(this.lastCheckpointAtMs, this.startedAtMs));
  }
}

function maxOf(a: Position, b: Position): Position {
  return a > b ? a : b;
}
