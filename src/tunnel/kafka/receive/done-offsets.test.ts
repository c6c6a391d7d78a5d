import { expect, test } from 'vitest';
import { DoneOffsets } from './done-offsets.ts';

test('the frontier stands at the first message that is not done, whatever is done behind it (I3)', () => {
  const offsets = new DoneOffsets(5);
  const done = [5, 6, 7].map((offset) => offsets.handOver(offset));
  done[1]?.();
  done[2]?.();
  expect(offsets.frontier).toBe(5);
  done[0]?.();
  expect(offsets.frontier).toBe(8);
});

test('what is passed over counts with the message before it', () => {
  const offsets = new DoneOffsets(0);
  offsets.passOver(3);
  expect(offsets.frontier).toBe(3);
  const done = offsets.handOver(3);
  offsets.passOver(9);
  expect(offsets.frontier).toBe(3);
  done();
  expect(offsets.frontier).toBe(9);
});

test('a message that is said to be done twice counts once', () => {
  const offsets = new DoneOffsets(0);
  const first = offsets.handOver(0);
  const second = offsets.handOver(1);
  first();
  first();
  expect(offsets.frontier).toBe(1);
  second();
  expect(offsets.frontier).toBe(2);
});

test('ten thousand messages that are done in a random order leave no hole', () => {
  const offsets = new DoneOffsets(0);
  const open = Array.from({ length: 10_000 }, (_, offset) => ({ offset, done: offsets.handOver(offset) }));
  const isDone = new Set<number>();
  for (let left = open.length; left > 0; left--) {
    const at = (left * 7919) % open.length;
    const [one] = open.splice(at, 1);
    one?.done();
    isDone.add(one?.offset ?? -1);
    const firstOpen = open[0]?.offset ?? 10_000;
    expect(offsets.frontier).toBe(firstOpen);
  }
});
