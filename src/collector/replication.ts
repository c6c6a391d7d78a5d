import type { CheckpointWriter } from '../checkpoint/checkpoint-writer.ts';
import type { ReplicationState, ReplicationStats } from '../metrics/replication-stats.ts';
import { formatPosition, type Position } from '../oplog/position.ts';
import type { Governor } from '../pipeline/governor.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { deadlineSignal } from '../shared/deadline-signal.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { sleep } from '../shared/sleep.ts';
import type { ChangeSource } from '../source/change-source.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';

/** How often the source's oplog window is asked for; lag and health are as fresh as this. */
const WINDOW_INTERVAL_MS = 5000;
const WATCH_INTERVAL_MS = 500;
/** Below this share of the oplog between its first entry and our position, the log warns. */
const WINDOW_LEFT_WARNING = 0.2;
/** How long a stop waits for what is on its way; what is not durable then is read again at the next start. */
const DRAIN_MAX_MS = 30_000;

export interface ReplicationParts {
  readonly source: ChangeSource;
  readonly tunnel: Tunnel;
  readonly pipeline: Pipeline;
  readonly checkpoints: CheckpointWriter;
  readonly governor: Governor;
  readonly stats: ReplicationStats;
  readonly logger: Logger;
  /** Aborts when another collector may take over: then nothing more is written, not even a checkpoint (I5). */
  readonly lost?: AbortSignal | undefined;
}

/**
 * The life of one source, from its start position to its last checkpoint:
 *
 * `starting -> streaming <-> paused | stalled -> stopping -> stopped`, and `failed` from any of them.
 *
 * Three things end it: the stop signal, an exit point, or a failure of the source, the tunnel or the checkpoint store.
 * Losing the lease ends it too, but at once and without a word to anybody. In each other case reading ends first, then what is on its way is given time to become durable, then the last
 * checkpoint is written (I1), then an error is thrown if there was one.
 */
export class Replication {
  readonly #parts: ReplicationParts;

  constructor(parts: ReplicationParts) {
    this.#parts = parts;
  }

  /** Runs until it is stopped. @throws what ended it, when it was not the stop signal. */
  async run(start: Position, stop: AbortSignal): Promise<void> {
    const { tunnel, checkpoints, stats, logger, lost = NEVER } = this.#parts;
    const over = new AbortController();
    const reading = AbortSignal.any([stop, tunnel.failed, checkpoints.failed, over.signal, lost]);
    const watching = this.#watch(reading);
    stats.startPosition = start;
    checkpoints.start();
    this.#setState('streaming');
    logger.info(`Reading begins after ${formatPosition(start)}`);
    let failure: unknown;
    try {
      await this.#read(start, reading);
    } catch (error) {
      failure = error;
    }
    over.abort();
    if (lost.aborted) {
      checkpoints.abandon();
      throw lost.reason;
    }
    await watching;
    failure ??= reasonOf(tunnel.failed) ?? reasonOf(checkpoints.failed);
    this.#setState('stopping');
    failure ??= await this.#finish(lost);
    if (lost.aborted) throw lost.reason;
    if (failure !== undefined) {
      this.#setState('failed', describeError(failure));
      throw failure;
    }
    this.#setState('stopped');
    logger.info(
      `Stopped: ${stats.entriesDurable} entries delivered, last checkpoint ${formatPosition(stats.lastCheckpoint)}`,
    );
  }

  async #read(start: Position, reading: AbortSignal): Promise<void> {
    const { source, pipeline, governor } = this.#parts;
    for await (const batch of source.read(start, reading)) {
      await pipeline.handle(batch, reading);
      if (reading.aborted || governor.hasReachedExit) return;
    }
  }

  /** Waits for what is on its way and writes the last checkpoint. @returns an error of that, if any. */
  async #finish(lost: AbortSignal): Promise<unknown> {
    const { tunnel, checkpoints, stats, logger } = this.#parts;
    if (!tunnel.failed.aborted) {
      await tunnel.drain(deadlineSignal(DRAIN_MAX_MS, lost));
    }
    if (lost.aborted) {
      checkpoints.abandon();
      return undefined;
    }
    const undelivered = stats.lanes.reduce((sum, lane) => sum + lane.entriesInFlight, 0);
    if (undelivered > 0) {
      logger.warn(
        `${undelivered} entries were not acknowledged in time (${tunnel.trouble ?? 'the tunnel is slow'}); ` +
          'they lie after the checkpoint and are sent again at the next start',
      );
    }
    try {
      await checkpoints.stop();
      return undefined;
    } catch (error) {
      return error;
    }
  }

  /** Keeps the state honest and the oplog window known while reading goes on. */
  async #watch(reading: AbortSignal): Promise<void> {
    const { source, stats, logger } = this.#parts;
    let warned = false;
    let oldestAtFirst: Position | undefined;
    // By the monotonic clock: were the time of day turned back, lag and health would stand still for as long.
    for (let nextWindowAtMs = 0; !reading.aborted; await sleep(WATCH_INTERVAL_MS, reading)) {
      this.#noteFlow();
      if (performance.now() < nextWindowAtMs) continue;
      nextWindowAtMs = performance.now() + WINDOW_INTERVAL_MS;
      const askedAtMs = Date.now();
      try {
        stats.noteWindow(await source.window(reading), askedAtMs);
      } catch (error) {
        logger.debug(`The oplog window cannot be read: ${describeError(error)}`);
        continue;
      }
      oldestAtFirst ??= stats.oplogOldest;
      // As long as the oplog's first entry stays, nothing is being dropped and no position is in danger.
      const isLow = stats.oplogOldest > oldestAtFirst && stats.oplogWindowLeftRatio < WINDOW_LEFT_WARNING;
      if (isLow && !warned) this.#warnWindow();
      warned = isLow;
    }
  }

  #noteFlow(): void {
    const { governor, tunnel, stats } = this.#parts;
    stats.noteTunnelTrouble(tunnel.trouble, Date.now());
    stats.bytesDurable = tunnel.traffic.bytes;
    stats.sendRetries = tunnel.traffic.retries;
    if (governor.isPaused) this.#setState('paused', 'paused by the sentinel option Pause');
    else if (tunnel.trouble !== undefined) this.#setState('stalled', tunnel.trouble);
    else this.#setState('streaming');
  }

  #warnWindow(): void {
    const { stats, logger } = this.#parts;
    logger.warn(
      `Only ${Math.round(stats.oplogWindowLeftRatio * 100)} % of the oplog is left before the position is lost: the oplog begins at ` +
        `${formatPosition(stats.oplogOldest)}, delivered is ${formatPosition(stats.donePosition)}; ` +
        'make the oplog larger (replSetResizeOplog) or find out what slows the tunnel',
    );
  }

  #setState(state: ReplicationState, reason = ''): void {
    const { stats, logger } = this.#parts;
    if (stats.state === state && stats.reason === reason) return;
    if (stats.state !== state) {
      logger.info(`State ${stats.state} -> ${state}${reason === '' ? '' : `: ${reason}`}`);
    }
    stats.state = state;
    stats.reason = reason;
  }
}

const NEVER = new AbortController().signal;

function reasonOf(signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : undefined;
}
