import { expect, test } from 'vitest';
import { ReadPace } from './read-pace.ts';

const ENTRY_BYTES = 400;

/** Plays a second of a steady stream that is answered at once; returns the number of requests. */
function requestsInASecond(pace: ReadPace, entriesPerSecond: number): number {
  let requests = 0;
  let lastMs = 0;
  for (let nowMs = 0; nowMs < 1000;) {
    const everyMs = 1000 / entriesPerSecond;
    requests++;
    const answeredAtMs = Math.max(nowMs + 0.2, lastMs + everyMs);
    const entries = Math.max(1, Math.floor((answeredAtMs - lastMs) / everyMs));
    lastMs = answeredAtMs;
    nowMs = answeredAtMs + pace.answered({ entries, bytes: entries * ENTRY_BYTES }, answeredAtMs);
  }
  return requests;
}

test('the faster entries come, the more of them share a request', () => {
  expect(requestsInASecond(new ReadPace(), 1000)).toBeLessThan(700);
  expect(requestsInASecond(new ReadPace(), 10_000)).toBeLessThan(300);
  expect(requestsInASecond(new ReadPace(), 100_000)).toBeLessThan(500);
});

test('below five hundred a second every entry is asked for at once', () => {
  expect(requestsInASecond(new ReadPace(), 400)).toBeGreaterThan(380);
});

test('a reply that is large does not make the next one wait', () => {
  const pace = new ReadPace();
  requestsInASecond(pace, 100_000);
  expect(pace.answered({ entries: 3000, bytes: 2_000_000 }, 1000.5)).toBe(0);
});

test('the first entries after a quiet time do not wait', () => {
  const pace = new ReadPace();
  requestsInASecond(pace, 10_000);
  pace.answered({ entries: 5, bytes: 2000 }, 3000);
  expect(pace.answered({ entries: 1, bytes: 400 }, 3000.5)).toBe(0);
});
