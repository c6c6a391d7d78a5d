import { describe, expect, test } from 'vitest';
import { AckWindow, type Ticket } from './ack-window.ts';

describe('AckWindow', () => {
  test('I1: the watermark stays below the oldest batch that is not durable, whatever finishes after it', () => {
    const acks = new AckWindow(10n);
    const first = acks.add({ last: 20n, checkpointable: 20n, outstanding: 2 });
    const second = acks.add({ last: 30n, checkpointable: 30n, outstanding: 1 });
    acks.done(second);
    expect(acks.watermark).toBe(10n);
    acks.done(first);
    expect(acks.watermark).toBe(10n);
    acks.done(first);
    expect(acks.watermark).toBe(30n);
    expect(acks.pending).toBe(0);
  });

  test('a batch of which nothing is sent is complete when those before it are', () => {
    const acks = new AckWindow(0n);
    acks.add({ last: 5n, checkpointable: 5n, outstanding: 0 });
    expect(acks.watermark).toBe(5n);
    const ticket = acks.add({ last: 6n, checkpointable: 6n, outstanding: 1 });
    acks.add({ last: 9n, checkpointable: 9n, outstanding: 0 });
    expect(acks.watermark).toBe(5n);
    acks.done(ticket);
    expect(acks.watermark).toBe(9n);
  });

  test('I6: an open transaction holds the watermark before its first part until it ends', () => {
    const acks = new AckWindow(0n);
    acks.add({ last: 10n, checkpointable: 7n, outstanding: 0 });
    acks.add({ last: 20n, checkpointable: 7n, outstanding: 0 });
    expect(acks.watermark).toBe(7n);
    expect(acks.durable).toBe(20n);
    acks.add({ last: 30n, checkpointable: 30n, outstanding: 0 });
    expect(acks.watermark).toBe(30n);
  });

  test('I6: the watermark does not go back when a transaction begins before a checkpoint that was possible', () => {
    const acks = new AckWindow(0n);
    acks.add({ last: 10n, checkpointable: 10n, outstanding: 0 });
    acks.add({ last: 20n, checkpointable: 4n, outstanding: 0 });
    expect(acks.watermark).toBe(10n);
  });

  test('a receipt too many and a batch out of order are bugs and said so', () => {
    const acks = new AckWindow(0n);
    const ticket = acks.add({ last: 10n, checkpointable: 10n, outstanding: 1 });
    acks.done(ticket);
    expect(() => acks.done(ticket)).toThrow('more receipts');
    expect(() => acks.add({ last: 9n, checkpointable: 9n, outstanding: 1 })).toThrow('out of order');
    expect(() => acks.add({ last: 11n, checkpointable: 12n, outstanding: 1 })).toThrow('ahead');
  });

  test('I1: with receipts in random order the watermark is what a plain search over all batches finds', () => {
    const random = seeded(20_261_123);
    const acks = new AckWindow(0n);
    const all: Ticket[] = [];
    let open: Ticket[] = [];
    for (let position = 1n; position <= 3000n; position++) {
      const ticket = acks.add({
        last: position,
        checkpointable: position,
        outstanding: Math.floor(random() * 4),
      });
      all.push(ticket);
      for (let i = 0; i < ticket.outstanding; i++) open.push(ticket);
      while (open.length > 40 || (open.length > 0 && random() < 0.5)) {
        const at = Math.floor(random() * open.length);
        const [picked] = open.splice(at, 1);
        if (picked !== undefined) acks.done(picked);
      }
      expect(acks.watermark).toBe(plainWatermark(all));
    }
    for (const ticket of open) acks.done(ticket);
    open = [];
    expect(acks.watermark).toBe(3000n);
  });
});

function plainWatermark(tickets: readonly Ticket[]): bigint {
  let watermark = 0n;
  for (const ticket of tickets) {
    if (ticket.outstanding > 0) break;
    watermark = ticket.checkpointable;
  }
  return watermark;
}

/** A small generator of repeatable randomness (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
