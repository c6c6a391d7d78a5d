import { expect, test } from 'vitest';
import { ReplicationStats } from '../metrics/replication-stats.ts';
import { positionOf } from '../oplog/position.ts';
import { byteSizeText } from './byte-size-text.ts';
import { localTimeText } from './local-time-text.ts';
import { metricLine } from './metric-line.ts';

test("the metric line has MongoShake's fields, order and double bracket", () => {
  const stats = new ReplicationStats('rs0', 1);
  stats.entriesRead = 5;
  stats.entriesFiltered = 1;
  stats.entriesGiven = 4;
  stats.entriesDurable = 3;
  stats.bytesDurable = 2048;
  stats.checkpointsWritten = 2;
  stats.lastDurable = positionOf(1582277156, 1);
  const time = localTimeText(1582277156_000);
  const none = localTimeText(0);
  expect(metricLine(stats, Date.now())).toBe(
    '[name=rs0, stage=incr, get=5, filter=1, worker_consume=4, worker_apply=3, worker_failed_times=0, ' +
      'write_success=3, tps=0, ckpt_times=2, retransimit_times=0, tunnel_traffic=2.00KB, ' +
      `lsn_ckpt={0[0, 0], ${none}}, lsn_ack={6795828638227890177[1582277156, 1], ${time}}]]`,
  );
});

test.each([
  [0, '0.00B'],
  [1024, '1024.00B'],
  [1025, '1.00KB'],
  [1024 * 1024 * 1.5, '1.50MB'],
  [2 ** 61, '2048.00PB'],
])('%d bytes are shown as %s: the next unit above 1024, not at it', (bytes, text) => {
  expect(byteSizeText(bytes)).toBe(text);
});

test('a time is shown in the local zone', () => {
  expect(localTimeText(new Date(2006, 0, 2, 15, 4, 5).getTime())).toBe('2006-01-02 15:04:05');
});
