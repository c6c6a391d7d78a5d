import type { ReplicationStats } from '../metrics/replication-stats.ts';
import { formatPosition, type Position } from '../oplog/position.ts';
import { Backoff } from '../shared/backoff.ts';
import { describeError } from '../shared/errors.ts';
import { failpoint } from '../shared/failpoint.ts';
import type { Logger } from '../shared/logger.ts';
import { sleep } from '../shared/sleep.ts';
import type { AckWindow } from './ack-window.ts';
import { CheckpointError } from './checkpoint-error.ts';
import type { CheckpointStore } from './checkpoint-store.ts';

export interface CheckpointWriterOptions {
  readonly store: CheckpointStore;
  readonly acks: Pick<AckWindow, 'watermark'>;
  readonly stats: Pick<
    ReplicationStats,
    'name' | 'lastCheckpoint' | 'checkpointsWritten' | 'checkpointFailures' | 'lastCheckpointAtMs'
  >;
  readonly logger: Logger;
  /** MongoShake's `fetch_method`: `oplog` or `change_stream`. */
  readonly fetchMethod: string;
  /** `checkpoint.interval` */
  readonly intervalMs: number;
  /** `checkpoint.max_age`; 0: never give up. */
  readonly maxAgeMs: number;
  /** Whether this collector may still write, asked before each write (I5); default always. */
  readonly mayWrite?: () => boolean;
  /** How long {@link CheckpointWriter.stop} tries. Default 10 s. */
  readonly stopTimeoutMs?: number;
}

const RETRY_MIN_MS = 200;
const DEFAULT_STOP_TIMEOUT_MS = 10_000;

/**
 * Stores the low watermark now and then and at the end: only forward, only when it has moved. Runs beside the
 * replication and never holds it up; a store that is away is tried again until `checkpoint.max_age`.
 */
export class CheckpointWriter {
  readonly #options: CheckpointWriterOptions;
  readonly #stopping = new AbortController();
  readonly #failed = new AbortController();
  #running: Promise<void> = Promise.resolve();
  /** The watermark that is stored, or where reading began. */
  #stored: Position;
  /** When the watermark was first seen above what is stored; undefined while it is stored. */
  #unstoredSinceMs: number | undefined;
  #isFailing = false;
  #abandoned = false;

  constructor(options: CheckpointWriterOptions) {
    this.#options = options;
    this.#stored = options.acks.watermark;
  }

  /** Aborts with a CheckpointError when the store has been away for longer than `checkpoint.max_age`. */
  get failed(): AbortSignal {
    return this.#failed.signal;
  }

  /** For how long the newest watermark has not been stored, in milliseconds; 0 when it is. */
  get ageMs(): number {
    this.#noteAge();
    return this.#unstoredSinceMs === undefined ? 0 : performance.now() - this.#unstoredSinceMs;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Ends the timer and writes the last checkpoint. @throws CheckpointError when that fails. */
  async stop(): Promise<void> {
    const { stats, stopTimeoutMs = DEFAULT_STOP_TIMEOUT_MS } = this.#options;
    this.#stopping.abort();
    const deadline = new AbortController();
    const late = sleep(stopTimeoutMs, deadline.signal).then(() => {
      if (deadline.signal.aborted) return;
      throw new CheckpointError({
        code: 'CHECKPOINT_STORE',
        message: `The last checkpoint of ${stats.name} could not be stored within ${stopTimeoutMs} ms`,
        hint: 'entries after the stored checkpoint are sent again at the next start',
      });
    });
    try {
      await Promise.race([this.#running.then(() => this.#write()), late]);
    } finally {
      deadline.abort();
    }
  }

  /** Ends the timer and writes nothing any more: for a collector that has lost its lease (I5). */
  abandon(): void {
    this.#stopping.abort();
    this.#abandoned = true;
  }

  async #run(): Promise<void> {
    const { intervalMs } = this.#options;
    const stopping = this.#stopping.signal;
    const backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: intervalMs });
    let pauseMs = intervalMs;
    for (;;) {
      await sleep(pauseMs, stopping);
      if (stopping.aborted) return;
      try {
        await this.#write();
        this.#noteSuccess();
        backoff.reset();
        pauseMs = intervalMs;
      } catch (error) {
        this.#noteFailure(error);
        if (this.#failed.signal.aborted) return;
        pauseMs = backoff.nextMs();
      }
    }
  }

  /** Stores the watermark if it has moved. */
  async #write(): Promise<void> {
    const { store, acks, stats, fetchMethod, mayWrite } = this.#options;
    const position = acks.watermark;
    if (position <= this.#stored || this.#abandoned || mayWrite?.() === false) return;
    this.#noteAge();
    failpoint('before-checkpoint');
    await store.save({ name: stats.name, position, fetchMethod, diskQueue: '' });
    failpoint('after-checkpoint');
    this.#stored = position;
    this.#unstoredSinceMs = undefined;
    this.#noteAge();
    stats.lastCheckpoint = position;
    stats.lastCheckpointAtMs = Date.now();
    stats.checkpointsWritten += 1;
  }

  #noteAge(): void {
    if (this.#options.acks.watermark > this.#stored) this.#unstoredSinceMs ??= performance.now();
  }

  #noteSuccess(): void {
    const { logger, stats } = this.#options;
    if (this.#isFailing) logger.info(`The checkpoint of ${stats.name} is stored again`);
    this.#isFailing = false;
  }

  #noteFailure(error: unknown): void {
    const { logger, stats, maxAgeMs } = this.#options;
    stats.checkpointFailures += 1;
    if (error instanceof CheckpointError && error.code === 'CHECKPOINT_STALE_TERM') {
      this.#failed.abort(error);
      return;
    }
    if (!this.#isFailing) {
      logger.warn(
        `The checkpoint of ${stats.name} cannot be stored; replication goes on, trying again: ${describeError(error)}`,
      );
    }
    this.#isFailing = true;
    if (maxAgeMs === 0 || this.ageMs <= maxAgeMs) return;
    this.#failed.abort(
      new CheckpointError({
        code: 'CHECKPOINT_TOO_OLD',
        message: `The checkpoint of ${stats.name} could not be stored for ${Math.round(this.ageMs / 1000)} s (checkpoint.max_age): it stays at ${formatPosition(this.#stored)}`,
        hint: 'make the checkpoint store work again and restart; entries after the stored checkpoint are sent again',
        cause: error,
      }),
    );
  }
}
