import { expect, test } from 'vitest';
import { ReplicationStats } from '../metrics/replication-stats.ts';
import { positionOf } from '../oplog/position.ts';
import { defaultHealthLimits, health } from './health.ts';

function streaming(): ReplicationStats {
  const stats = new ReplicationStats('rs0', 1);
  stats.state = 'streaming';
  return stats;
}

function problems(stats: ReplicationStats, nowMs: number): string {
  return health([stats], defaultHealthLimits, nowMs).sources[0].problems.join('\n');
}

test('a position that stands still while the oplog goes on is failing after a minute, and well again when it moves', () => {
  const stats = streaming();
  const start = stats.startedAtMs;
  stats.lastDurable = stats.lastRead = stats.lastCheckpoint = positionOf(1000, 1);
  stats.noteWindow({ oldest: positionOf(1, 1), newest: positionOf(1000, 1) }, start);
  for (let at = 5_000; at <= 90_000; at += 5_000) {
    stats.noteWindow({ oldest: positionOf(1, 1), newest: positionOf(1001 + at / 1000, 1) }, start + at);
    expect(problems(stats, start + at) !== '', `after ${at} ms`).toBe(at > 60_000);
  }
  stats.lastRead = positionOf(1050, 1);
  stats.noteWindow({ oldest: positionOf(1, 1), newest: positionOf(1100, 1) }, start + 95_000);
  stats.lastCheckpoint = stats.lastRead;
  expect(problems(stats, start + 95_000)).toBe('');
});

test('an idle source is well for ever', () => {
  const stats = streaming();
  stats.lastDurable = stats.lastRead = stats.lastCheckpoint = positionOf(1000, 1);
  const later = stats.startedAtMs + 3_600_000;
  stats.noteWindow({ oldest: positionOf(1, 1), newest: positionOf(1000, 1) }, later);
  expect(problems(stats, later + 5_000)).toBe('');
});

test('a source that does not answer any more is failing', () => {
  const stats = streaming();
  stats.lastDurable = stats.lastCheckpoint = positionOf(1000, 1);
  stats.noteWindow({ oldest: positionOf(1, 1), newest: positionOf(1000, 1) }, stats.startedAtMs);
  expect(problems(stats, stats.startedAtMs + 61_000)).toContain('has not moved for 61 s');
});

test('a tunnel in trouble is failing after a minute with its words, and well when it takes messages', () => {
  const stats = streaming();
  const start = stats.startedAtMs;
  stats.noteTunnelTrouble('broker away', start);
  stats.noteTunnelTrouble('broker away', start + 59_000);
  expect(problems(stats, start + 59_000)).toBe('');
  expect(problems(stats, start + 61_000)).toBe('the tunnel takes nothing for 61 s: broker away');
  stats.noteTunnelTrouble(undefined, start + 62_000);
  expect(problems(stats, start + 62_000)).toBe('');
});

test('a checkpoint that is too old is failing only when there is something to store', () => {
  const stats = streaming();
  stats.lastDurable = stats.lastCheckpoint = positionOf(1000, 1);
  const later = stats.startedAtMs + 700_000;
  expect(problems(stats, later)).toBe('');
  stats.lastDurable = positionOf(1001, 1);
  expect(problems(stats, later)).toBe('no checkpoint could be written for 700 s');
});

test('a paused replication is well, a stalled one is not', () => {
  const stats = streaming();
  stats.state = 'paused';
  expect(problems(stats, Date.now())).toBe('');
  stats.state = 'stalled';
  stats.reason = 'why';
  expect(problems(stats, Date.now())).toBe('the replication is stalled: why');
});
