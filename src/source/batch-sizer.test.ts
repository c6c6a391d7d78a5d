import { expect, test } from 'vitest';
import { BatchSizer } from './batch-sizer.ts';

const MIB = 1024 * 1024;

test('replies keep about the same size whatever the size of the entries', () => {
  const sizer = new BatchSizer({ limitBytes: 64 * MIB });
  for (const entryBytes of [700, 5_000_000, 300]) {
    for (let i = 0; i < 50; i++) sizer.note(sizer.batchSize * entryBytes, sizer.batchSize);
    const expected = Math.max(1, Math.min(16_000, sizer.targetBytes / entryBytes));
    expect(sizer.batchSize / expected).toBeGreaterThan(0.5);
    expect(sizer.batchSize / expected).toBeLessThan(2);
  }
});

test('the few small entries of an idle time do not make the next reply huge', () => {
  const sizer = new BatchSizer({ limitBytes: 64 * MIB });
  sizer.note(4 * MIB, 40);
  const before = sizer.batchSize;
  for (let i = 0; i < 100; i++) sizer.note(100, 1);
  expect(sizer.batchSize).toBeLessThan(before * 2);
});

test('I4: a small memory limit makes replies smaller', () => {
  expect(new BatchSizer({ limitBytes: 4 * MIB }).expectedBytes).toBeLessThanOrEqual(MIB / 2);
});

test('the configured maximum holds', () => {
  expect(new BatchSizer({ limitBytes: 64 * MIB, batchSizeMax: 3 }).batchSize).toBe(3);
});
