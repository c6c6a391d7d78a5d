import { expect, test } from 'vitest';
import { SleepMeter } from './sleep-meter.ts';

/** Clocks that stand where they are put. */
function clocksAt(start: { wall: number; monotonic: number; boot: number }) {
  const now = { ...start };
  let asked = 0;
  return {
    now,
    asked: () => asked,
    wallMs: () => now.wall,
    monotonicMs: () => now.monotonic,
    bootMs: () => {
      asked++;
      return now.boot;
    },
  };
}

test('the time in which the host was suspended is counted, though the monotonic clock stood still', () => {
  const clocks = clocksAt({ wall: 1_000_000, monotonic: 500, boot: 900 });
  const meter = new SleepMeter(clocks);
  clocks.now.wall += 40_100;
  clocks.now.monotonic += 100;
  clocks.now.boot += 40_100;
  expect(meter.sleptMs).toBe(40_000);
  expect(meter.sleptMs).toBe(40_000);
});

test('a clock that is set forward or back is no suspension', () => {
  const clocks = clocksAt({ wall: 1_000_000, monotonic: 500, boot: 900 });
  const meter = new SleepMeter(clocks);
  for (const jump of [3_600_000, -7_200_000]) {
    clocks.now.wall += jump;
    clocks.now.monotonic += 10;
    clocks.now.boot += 10;
    expect(meter.sleptMs).toBe(0);
  }
});

test('as long as the clocks keep pace the system is not asked', () => {
  const clocks = clocksAt({ wall: 1_000_000, monotonic: 500, boot: 900 });
  const meter = new SleepMeter(clocks);
  const askedAtFirst = clocks.asked();
  for (let step = 0; step < 100; step++) {
    clocks.now.wall += 1000;
    clocks.now.monotonic += 1001;
    expect(meter.sleptMs).toBe(0);
  }
  expect(clocks.asked() - askedAtFirst).toBeLessThanOrEqual(1);
});
