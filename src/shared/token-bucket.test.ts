import { expect, test } from 'vitest';
import { TokenBucket } from './token-bucket.ts';

test('without a rate everything passes', () => {
  const bucket = new TokenBucket(() => 0);
  for (let i = 0; i < 1000; i++) expect(bucket.take()).toBe(0);
});

test('a rate of 100 a second lets 100 units through in a second, and says how long to wait for the next', () => {
  let nowMs = 0;
  const bucket = new TokenBucket(() => nowMs);
  bucket.setRate(100);
  let passed = 0;
  for (; nowMs < 1000; nowMs++) if (bucket.take() === 0) passed++;
  expect(passed).toBeGreaterThanOrEqual(98);
  expect(passed).toBeLessThanOrEqual(100);
  while (bucket.take() === 0) passed++;
  const waitMs = bucket.take();
  expect(waitMs).toBeGreaterThan(0);
  nowMs += waitMs;
  expect(bucket.take()).toBe(0);
});

test('a long pause does not save up more than one second of units', () => {
  let nowMs = 0;
  const bucket = new TokenBucket(() => nowMs);
  bucket.setRate(10);
  nowMs = 60_000;
  let passed = 0;
  while (bucket.take() === 0) passed++;
  expect(passed).toBe(10);
});
