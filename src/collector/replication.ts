import type { AckWindow } from '../checkpoint/ack-window.ts';
import type { CheckpointWriter } from '../checkpoint/checkpoint-writer.ts';
import type { ReplicationState, ReplicationStats } from '../metrics/replication-stats.ts';
import { formatPosition, secondsOf, type Position } from '../oplog/position.ts';
import type { Governor } from '../pipeline/governor.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { sleep } from '../shared/sleep.ts';
import type { ChangeSource } from '../source/change-source.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';

/** How often the source's oplog window is asked for. */
const WINDOW_INTERVAL_MS = 10_000;
/** Below this share of the oplog between its first entry and our position, the log warns. */
const WINDOW_LEFT_WARNING = 0.2;
/** How long a stop waits for what is on its way; what is not durable then is read again at the next start. */
const DRAIN_MAX_MS = 30_000;

export interface ReplicationParts {
  readonly source: ChangeSource;
  readonly tunnel: Tunnel;
  readonly pipeline: Pipeline;
  readonly acks: AckWindow;
  readonly checkpoints: CheckpointWriter;
  readonly governor: Governor;
  readonly stats: ReplicationStats;
  readonly logger: Logger;
}

/**
 * The life of one source, from its start position to its last checkpoint:
 *
 * `starting -> streaming <-> paused | stalled -> stopping -> stopped`, and `failed` from any of them.
 *
 * Three things end it: the stop signal, an exit point, or a failure of the source, the tunnel or the checkpoint store.
 * In each case reading ends first, then what is on its way is given time to become durable, then the last
 * checkpoint is written (I1), then an error is thrown if there was one.
 */
export class Replication {
  readonly #parts: ReplicationParts;

  constructor(parts: ReplicationParts) {
    this.#parts = parts;
  }

  /** Runs until it is stopped. @throws what ended it, when it was not the stop signal. */
  async run(start: Position, stop: AbortSignal): Promise<void> {
    const { tunnel, checkpoints, stats, logger } = this.#parts;
    const over = new AbortController();
    const reading = AbortSignal.any([stop, tunnel.failed, checkpoints.failed, over.signal]);
    const watching = this.#watch(reading);
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
    await watching;
    failure ??= reasonOf(tunnel.failed) ?? reasonOf(checkpoints.failed);
    this.#setState('stopping');
    const lost = await this.#finish();
    failure ??= lost;
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
  async #finish(): Promise<unknown> {
    const { tunnel, checkpoints, stats, logger } = this.#parts;
    if (!tunnel.failed.aborted) await tunnel.drain(AbortSignal.timeout(DRAIN_MAX_MS));
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
    for (let nextWindowAtMs = 0; !reading.aborted; await sleep(500, reading)) {
      this.#noteFlow();
      if (Date.now() < nextWindowAtMs) continue;
      nextWindowAtMs = Date.now() + WINDOW_INTERVAL_MS;
      try {
        const window = await source.window(reading);
        stats.oplogOldest = window.oldest;
        stats.oplogNewest = window.newest;
      } catch (error) {
        logger.debug(`The oplog window cannot be read: ${describeError(error)}`);
        continue;
      }
      const left = windowLeft(stats);
      if (left < WINDOW_LEFT_WARNING && !warned) this.#warnWindow(left);
      warned = left < WINDOW_LEFT_WARNING;
    }
  }

  #noteFlow(): void {
    const { governor, tunnel } = this.#parts;
    if (governor.isPaused) this.#setState('paused', 'paused by the sentinel option Pause');
    else if (tunnel.trouble !== undefined) this.#setState('stalled', tunnel.trouble);
    else this.#setState('streaming');
  }

  #warnWindow(left: number): void {
    const { stats, logger } = this.#parts;
    logger.warn(
      `Only ${Math.max(0, Math.round(left * 100))} % of the oplog is left before the position is lost: the oplog begins at ` +
        `${formatPosition(stats.oplogOldest)}, delivered is ${formatPosition(stats.lastDurable)}; ` +
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

/** How much of the oplog lies between its first entry and what is delivered: 1 all of it, 0 none. */
function windowLeft(stats: ReplicationStats): number {
  const oldest = secondsOf(stats.oplogOldest);
  const span = secondsOf(stats.oplogNewest) - oldest;
  const delivered = stats.lastDurable === 0n ? stats.lastRead : stats.lastDurable;
  if (span < MIN_SPAN_SECONDS || delivered === 0n) return 1;
  return (secondsOf(delivered) - oldest) / span;
}

/** An oplog that is younger than this says nothing about how soon it rolls over. */
const MIN_SPAN_SECONDS = 60;

function reasonOf(signal: AbortSignal): unknown {
  return signal.aborted ? signal.reason : undefined;
}
