import { describe, expect, it } from 'vitest';
import { ByteQueue } from './byte-queue.ts';

describe('a byte queue', () => {
  it('gives back in any pieces what came in any pieces', () => {
    const whole = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 256));
    for (const [pushed, taken] of [
      [1, 13],
      [13, 1],
      [100, 100],
      [64, 1000],
      [1000, 64],
      [5000, 5000],
    ]) {
      const queue = new ByteQueue();
      const pieces: Buffer[] = [];
      for (let at = 0; at < whole.length; at += pushed) {
        queue.push(whole.subarray(at, at + pushed));
        for (;;) {
          const piece = queue.take(taken);
          if (piece === undefined) break;
          pieces.push(piece);
        }
      }
      pieces.push(queue.take(queue.length) ?? Buffer.alloc(0));
      expect(Buffer.concat(pieces)).toEqual(whole);
      expect(queue.length).toBe(0);
    }
  });

  it('shows a byte ahead without taking it, and none that has not come', () => {
    const queue = new ByteQueue();
    queue.push(Buffer.from([1, 2]));
    queue.push(Buffer.from([3]));
    expect([0, 1, 2, 3].map((index) => queue.peek(index))).toEqual([1, 2, 3, undefined]);
    expect(queue.take(4)).toBeUndefined();
    expect(queue.length).toBe(3);
  });
});
