import { expect, test } from 'vitest';
import { RateMeter } from './rate-meter.ts';

test('a steady stream shows its rate, and nothing a second after it ends', () => {
  const meter = new RateMeter();
  let now = 1_600_000_000_000;
  for (let i = 0; i < 300; i++, now += 10) meter.add(5, now);
  expect(meter.perSecond(now)).toBe(500);
  expect(meter.perSecond(now + 500)).toBe(250);
  expect(meter.perSecond(now + 1100)).toBe(0);
  meter.add(7, now + 60_000);
  expect(meter.perSecond(now + 60_100)).toBe(7);
});

test('a clock that is set back does no harm', () => {
  const meter = new RateMeter();
  meter.add(3, 1_600_000_000_000);
  meter.add(4, 1_500_000_000_000);
  expect(meter.perSecond(1_600_000_000_100)).toBe(7);
});
