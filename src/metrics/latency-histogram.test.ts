import { expect, test } from 'vitest';
import { LatencyHistogram } from './latency-histogram.ts';

test('weights count like single observations, bounds belong to their bucket', () => {
  const histogram = new LatencyHistogram();
  histogram.observe(1, 3);
  histogram.observe(1.5, 2);
  histogram.observe(70_000);
  histogram.observe(-5);
  expect(histogram.count).toBe(7);
  expect(histogram.sumMs).toBe(3 + 3 + 70_000);
  expect(histogram.cumulative().slice(0, 3)).toEqual([4, 6, 6]);
  expect(histogram.cumulative().at(-1)).toBe(6);
});

test('quantiles are linear within a bucket and end at the last bound', () => {
  const histogram = new LatencyHistogram();
  expect(histogram.quantileMs(0.5)).toBeNaN();
  histogram.observe(15, 100);
  expect(histogram.quantileMs(0.5)).toBe(15);
  expect(histogram.quantileMs(1)).toBe(20);
  histogram.observe(100_000, 900);
  expect(histogram.quantileMs(0.99)).toBe(60_000);
});
