import { expect, test } from 'vitest';
import { Backoff } from './backoff.ts';

test('pauses double up to the cap, with jitter between half and all, and start anew after a reset', () => {
  const longest = new Backoff({ minMs: 10, maxMs: 65, random: () => 1 });
  expect([1, 2, 3, 4, 5].map(() => longest.nextMs())).toEqual([10, 20, 40, 65, 65]);
  expect(longest.attempts).toBe(5);
  longest.reset();
  expect(longest.nextMs()).toBe(10);
  const shortest = new Backoff({ minMs: 10, maxMs: 65, random: () => 0 });
  expect(shortest.nextMs()).toBe(5);
});
