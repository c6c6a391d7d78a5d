import type { ReplicationStats } from '../metrics/replication-stats.ts';
import { incrementOf, secondsOf, type Position } from '../oplog/position.ts';
import { byteSizeText } from './byte-size-text.ts';
import { localTimeText } from './local-time-text.ts';

/**
 * The line that MongoShake logs every five seconds, with its double bracket at the end, which log scrapers
 * have in their patterns.
 */
export function metricLine(stats: ReplicationStats, nowMs: number): string {
  const fields = [
    `name=${stats.name}`,
    'stage=incr',
    `get=${stats.entriesRead}`,
    `filter=${stats.entriesFiltered}`,
    `worker_consume=${stats.entriesGiven}`,
    `worker_apply=${stats.entriesDurable}`,
    `worker_failed_times=${stats.sendRetries}`,
    `write_success=${stats.entriesDurable}`,
    `tps=${stats.durableRate.perSecond(nowMs)}`,
    `ckpt_times=${stats.checkpointsWritten}`,
    `retransimit_times=${stats.sendRetries}`,
    `tunnel_traffic=${byteSizeText(stats.bytesDurable)}`,
    `lsn_ckpt={${positionText(stats.lastCheckpoint)}}`,
    `lsn_ack={${positionText(stats.lastDurable)}}`,
  ];
  return `[${fields.join(', ')}]]`;
}

function positionText(position: Position): string {
  const seconds = secondsOf(position);
  return `${position}[${seconds}, ${incrementOf(position)}], ${localTimeText(seconds * 1000)}`;
}
