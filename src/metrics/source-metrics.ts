import { secondsOf, type Position } from '../oplog/position.ts';
import type { LaneStats, ReplicationState, ReplicationStats } from './replication-stats.ts';

/** A metric with the label `source`, and where its value is. */
export interface SourceMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  /** NaN: not known yet, no sample. */
  readonly read: (stats: ReplicationStats, nowMs: number) => number;
}

/** A metric with the labels `source` and `lane`. */
export interface LaneMetric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly read: (lane: LaneStats) => number;
}

/** Every state of a replication, in the order of its life. */
export const states: readonly ReplicationState[] = [
  'standby',
  'starting',
  'streaming',
  'paused',
  'stalled',
  'stopping',
  'stopped',
  'failed',
];

function counter(name: string, help: string, read: SourceMetric['read']): SourceMetric {
  return { name: `oplogue_${name}_total`, help, type: 'counter', read };
}

function gauge(name: string, help: string, read: SourceMetric['read']): SourceMetric {
  return { name: `oplogue_${name}`, help, type: 'gauge', read };
}

/** The oplog timestamp of a position in seconds since 1970; NaN for none. */
function timestampOf(position: Position): number {
  return position === 0n ? Number.NaN : secondsOf(position);
}

/** Everything that is shown of each source; the table in docs/monitoring.md is held against it by a test. */
export const sourceMetrics: readonly SourceMetric[] = [
  counter('entries_read', 'Oplog entries read', (s) => s.entriesRead),
  counter('bytes_read', 'Bytes of oplog entries read', (s) => s.bytesRead),
  counter('batches_read', 'Replies of the source read', (s) => s.batchesRead),
  counter('entries_filtered', 'Entries dropped by a filter', (s) => s.entriesFiltered),
  counter('entries_given', 'Operations given to the lanes', (s) => s.entriesGiven),
  counter('entries_durable', 'Operations that the far side holds', (s) => s.entriesDurable),
  counter('bytes_durable', 'Bytes of messages that the far side holds', (s) => s.bytesDurable),
  counter('transactions', 'Committed transactions', (s) => s.transactions),
  counter('send_retries', 'Sends that were tried again', (s) => s.sendRetries),
  counter('source_reconnects', 'Times the connection to the source was made anew', (s) => s.sourceReconnects),
  counter('checkpoints_written', 'Checkpoints stored', (s) => s.checkpointsWritten),
  counter('checkpoint_failures', 'Checkpoints that could not be stored', (s) => s.checkpointFailures),
  gauge(
    'lag_seconds',
    'Age of the oldest entry that is not done, at most; 0 when the source holds nothing newer',
    (s, nowMs) => s.lagMs(nowMs) / 1000,
  ),
  gauge('entries_per_second', 'Operations that became durable in the last second', (s, nowMs) =>
    s.durableRate.perSecond(nowMs),
  ),
  gauge('last_read_timestamp_seconds', 'Oplog timestamp last read', (s) => timestampOf(s.lastRead)),
  gauge('last_given_timestamp_seconds', 'Oplog timestamp last given to a lane', (s) =>
    timestampOf(s.lastGiven),
  ),
  gauge('last_durable_timestamp_seconds', 'Oplog timestamp up to which the far side holds all', (s) =>
    timestampOf(s.lastDurable),
  ),
  gauge('last_checkpoint_timestamp_seconds', 'Oplog timestamp in the checkpoint', (s) =>
    timestampOf(s.lastCheckpoint),
  ),
  gauge('oplog_oldest_timestamp_seconds', 'First timestamp in the oplog of the source', (s) =>
    timestampOf(s.oplogOldest),
  ),
  gauge('oplog_newest_timestamp_seconds', 'Last timestamp in the oplog of the source', (s) =>
    timestampOf(s.oplogNewest),
  ),
  gauge(
    'oplog_window_left_seconds',
    'Seconds of oplog between its oldest entry and the position that is done',
    (s) => s.oplogWindowLeftSeconds,
  ),
  gauge(
    'oplog_window_left_ratio',
    'Share of the oplog behind the position that is done: 1 all of it, 0 the position is lost',
    (s) => s.oplogWindowLeftRatio,
  ),
  gauge(
    'checkpoint_age_seconds',
    'For how long something that is done has not been in the checkpoint; 0 when it has everything',
    (s, nowMs) => s.checkpointAgeMs(nowMs) / 1000,
  ),
  gauge(
    'tunnel_trouble_seconds',
    'For how long the far side has not taken messages; 0 when it does',
    (s, nowMs) => (s.tunnelTroubleSinceMs === 0 ? 0 : (nowMs - s.tunnelTroubleSinceMs) / 1000),
  ),
];

/** Everything that is shown of each lane. */
export const laneMetrics: readonly LaneMetric[] = [
  {
    name: 'oplogue_lane_entries_total',
    help: 'Operations given to the lane',
    type: 'counter',
    read: (lane) => lane.entries,
  },
  {
    name: 'oplogue_lane_entries_in_flight',
    help: 'Operations sent by the lane and not acknowledged',
    type: 'gauge',
    read: (lane) => lane.entriesInFlight,
  },
  {
    name: 'oplogue_lane_batches_in_flight',
    help: 'Batches sent by the lane and not acknowledged',
    type: 'gauge',
    read: (lane) => lane.batchesInFlight,
  },
];
