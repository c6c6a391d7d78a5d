import { expect, test } from 'vitest';
import { positionOf } from '../oplog/position.ts';
import { ReplicationStats } from './replication-stats.ts';

const second = 1_600_000_000;
const ms = second * 1000;
const oldest = positionOf(second - 1000, 1);

test('nothing known yet has no lag and no window, rather than a wrong one', () => {
  const stats = new ReplicationStats('rs0', 1);
  expect(stats.lagMs(ms)).toBeNaN();
  expect(stats.oplogWindowLeftRatio).toBeNaN();
});

test('an idle source that holds nothing newer has no lag, also an hour after its last entry', () => {
  const stats = new ReplicationStats('rs0', 1);
  stats.lastDurable = stats.lastRead = positionOf(second, 1);
  stats.noteWindow({ oldest, newest: positionOf(second, 1) }, ms + 3_600_000);
  expect(stats.lagMs(ms + 3_605_000)).toBe(0);
});

test('a source that is not asked any more is as late as what is known of it', () => {
  const stats = new ReplicationStats('rs0', 1);
  stats.lastDurable = stats.lastRead = positionOf(second, 1);
  stats.noteWindow({ oldest, newest: positionOf(second, 1) }, ms + 1000);
  expect(stats.lagMs(ms + 61_000)).toBe(60_000);
});

test('one entry in flight after an idle hour is not an hour late', () => {
  const stats = new ReplicationStats('rs0', 1);
  stats.lastDurable = stats.lastRead = positionOf(second, 1);
  stats.noteWindow({ oldest, newest: positionOf(second, 1) }, ms + 3_600_000);
  stats.lastRead = positionOf(second + 3601, 1);
  stats.entriesGiven = 1;
  expect(stats.lagMs(ms + 3_602_000)).toBe(2000);
  stats.noteWindow({ oldest, newest: positionOf(second + 3601, 1) }, ms + 3_602_000);
  expect(stats.lagMs(ms + 3_603_000)).toBe(3000);
});

test('under load the lag is the age of the last durable entry, by its wall clock', () => {
  const stats = new ReplicationStats('rs0', 1);
  stats.entriesGiven = 100;
  stats.entriesDurable = 60;
  stats.lastDurable = positionOf(second, 1);
  stats.lastDurableWallMs = ms + 400;
  stats.noteWindow({ oldest, newest: positionOf(second + 5, 1) }, ms + 5000);
  expect(stats.lagMs(ms + 5000)).toBe(4600);
});

test('an entry that was read and filtered is done, but not while an earlier one is in flight', () => {
  const stats = new ReplicationStats('rs0', 1);
  stats.lastDurable = positionOf(second, 1);
  stats.lastRead = positionOf(second, 9);
  expect(stats.donePosition).toBe(positionOf(second, 9));
  stats.entriesGiven = 1;
  expect(stats.donePosition).toBe(positionOf(second, 1));
});

test('the window left is 1 at the head, its share in between, and 0 when the position has left the oplog', () => {
  const stats = new ReplicationStats('rs0', 1);
  const newest = positionOf(second, 1);
  stats.startPosition = positionOf(second - 800, 1);
  stats.noteWindow({ oldest, newest }, ms);
  expect(stats.oplogWindowLeftRatio).toBeCloseTo(0.2, 6);
  expect(stats.oplogWindowLeftSeconds).toBe(200);
  stats.startPosition = newest;
  expect(stats.oplogWindowLeftRatio).toBe(1);
  stats.startPosition = positionOf(second - 2000, 1);
  expect(stats.oplogWindowLeftRatio).toBe(0);
  expect(stats.oplogWindowLeftSeconds).toBe(0);
});
