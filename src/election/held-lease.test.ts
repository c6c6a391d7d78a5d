import { expect, onTestFinished, test } from 'vitest';
import { SleepMeter } from '../shared/sleep-meter.ts';
import { HeldLease } from './held-lease.ts';

test('the time in which the host was suspended counts: a lease that slept too long is lost at the first look (I5)', () => {
  const clocks = { wall: 0, boot: 0 };
  const sleepMeter = new SleepMeter({
    wallMs: () => performance.now() + clocks.wall,
    monotonicMs: () => performance.now(),
    bootMs: () => performance.now() + clocks.boot,
  });
  const lease = new HeldLease({
    term: 1n,
    wonAtMs: performance.now(),
    renewEveryMs: 600_000,
    giveUpAfterMs: 300_000,
    renew: () => Promise.resolve(true),
    sleepMeter,
  });
  onTestFinished(() => void lease.end());
  expect(lease.isHeld).toBe(true);
  clocks.wall = clocks.boot = 400_000;
  expect(lease.isHeld).toBe(false);
  expect(lease.lost.reason).toMatchObject({ code: 'ELECTION_LEASE_LOST' });
});

test('a clock that is set forward does not end a lease', () => {
  let aheadMs = 0;
  const sleepMeter = new SleepMeter({
    wallMs: () => performance.now() + aheadMs,
    monotonicMs: () => performance.now(),
    bootMs: () => performance.now(),
  });
  const lease = new HeldLease({
    term: 1n,
    wonAtMs: performance.now(),
    renewEveryMs: 600_000,
    giveUpAfterMs: 300_000,
    renew: () => Promise.resolve(true),
    sleepMeter,
  });
  onTestFinished(() => void lease.end());
  aheadMs = 3_600_000;
  expect(lease.isHeld).toBe(true);
});
