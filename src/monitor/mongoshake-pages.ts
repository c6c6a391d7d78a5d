import type { LaneStats, ReplicationStats } from '../metrics/replication-stats.ts';
import type { SourceView } from '../metrics/source-view.ts';
import { secondsOf, type Position } from '../oplog/position.ts';
import { byteSizeText } from './byte-size-text.ts';
import { localTimeText } from './local-time-text.ts';

/** A position as MongoShake shows it; `ts` is text because JavaScript and Python tools round 64-bit numbers. */
export interface PositionPage {
  readonly unix: number;
  readonly time: string;
  readonly ts: string;
}

/** `/repl` of one source. mongoshake-stat shows every field it finds, so nothing may be added here. */
export interface ReplPage {
  readonly who: string;
  readonly tag: string;
  readonly replset: string;
  readonly logs_get: number;
  readonly logs_repl: number;
  readonly logs_success: number;
  readonly tps: number;
  readonly lsn: PositionPage;
  readonly lsn_ack: PositionPage;
  readonly lsn_ckpt: PositionPage;
  readonly now: { readonly unix: number; readonly time: string };
  readonly log_size_avg: string;
  readonly log_size_max: string;
}

/** MongoShake's rule: the only object of a path as itself, several (or none) as an array. */
export function oneOrMany<T>(pages: readonly T[]): T | readonly T[] {
  return pages.length === 1 ? pages[0] : pages;
}

export function positionPage(position: Position): PositionPage {
  const unix = secondsOf(position);
  return { unix, time: localTimeText(unix * 1000), ts: position.toString() };
}

export function replPage(
  stats: ReplicationStats,
  who: { id: string; version: string },
  nowMs: number,
): ReplPage {
  return {
    who: who.id,
    tag: who.version,
    replset: stats.name,
    logs_get: stats.entriesRead,
    logs_repl: stats.entriesGiven,
    logs_success: stats.entriesDurable,
    tps: stats.durableRate.perSecond(nowMs),
    lsn: positionPage(stats.lastGiven),
    lsn_ack: positionPage(stats.lastDurable),
    lsn_ckpt: positionPage(stats.lastCheckpoint),
    now: { unix: Math.floor(nowMs / 1000), time: localTimeText(nowMs) },
    log_size_avg: byteSizeText(stats.entryBytesAvg),
    log_size_max: byteSizeText(stats.entryBytesMax),
  };
}

/** `/worker` of one lane; `workerId` runs over the lanes of all sources. */
export function workerPage(lane: LaneStats, workerId: number): Record<string, string | number> {
  return {
    worker_id: workerId,
    jobs_in_queue: lane.batchesInFlight,
    jobs_unack_buffer: lane.entriesInFlight,
    last_unack: lane.lastGiven.toString(),
    last_ack: lane.lastDurable.toString(),
    count: lane.entries,
  };
}

/**
 * `/queue` of one source. MongoShake has several pairs of queues before its batcher; we have one run of batches
 * fetched ahead, shown as queue 0, and lanes, whose figures are on `/worker`.
 */
export function queuePage(view: SourceView): object {
  const { fetchedUsed, fetchedSize } = view.queue();
  return {
    syncer_replica_set_name: view.stats.name,
    logs_queue_size: fetchedSize,
    pending_queue_size: fetchedSize,
    syncer_inner_queue: [{ queue_id: 0, pending_queue_used: fetchedUsed, logs_queue_used: 0 }],
    persister_buffer_used: 0,
  };
}

/** `/persist` of one source: entries are never spooled to disk, so only the buffer before it has figures. */
export function persistPage(view: SourceView): object {
  const { fetchedUsed, fetchedSize } = view.queue();
  return {
    buffer_used: fetchedUsed,
    buffer_size: fetchedSize,
    enable_disk_persist: false,
    fetch_stage: 'store memory and apply',
    disk_write_count: 0,
    disk_read_count: 0,
  };
}
