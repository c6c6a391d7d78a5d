import { describe, expect, test, vi } from 'vitest';
import {
  entries,
  heldUp,
  makePool,
  message,
  position,
  Recorder,
  RETRANSMISSION,
} from '../../test/support/replayer-pool-under-test.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';
import { MessageWay } from '../tunnel/message-way.ts';

describe('when a connection takes the place of another', () => {
  // Room for one message of one entry.
  const budget = (): MemoryBudget => new MemoryBudget(500);
  const settle = (): Promise<void> =>
    new Promise((resolve) => {
      setTimeout(resolve, 150);
    });

  test('what the old one still holds comes before all of the new one, though it is open still (I2)', async () => {
    const { replayer, open } = heldUp();
    const { pool } = makePool([replayer], { budget: budget() });
    const old = new MessageWay('10.0.0.1');
    const next = new MessageWay('10.0.0.2');
    old.got(1000);
    const takesOld = (async () => {
      // One after the other, as a connection hands them over.
      for (const number of [1, 2, 3, 4, 5]) {
        await pool.handle({ ...message({ logs: entries(number) }), way: old });
      }
      old.waits();
    })();
    await settle();
    const takesNext = (async () => {
      for (const number of [2, 3, 4, 5, 6]) {
        await pool.handle({ ...message({ logs: entries(number) }), way: next });
      }
    })();
    await settle();
    open();
    await Promise.all([takesOld, takesNext]);
    await vi.waitFor(() => expect(replayer.numbers).toHaveLength(10));
    expect(replayer.numbers).toEqual([1, 2, 3, 4, 5, 2, 3, 4, 5, 6]);
  });

  test('what was not taken of one that is closed is dropped: it comes again (I2)', async () => {
    const { replayer, open } = heldUp();
    const { pool } = makePool([replayer], { budget: budget() });
    const old = new MessageWay('10.0.0.1');
    const next = new MessageWay('10.0.0.1');
    old.got(1000);
    await pool.handle({ ...message({ logs: entries(1) }), way: old });
    const waiting = pool.handle({ ...message({ logs: entries(2) }), way: old });
    const fate = waiting.catch(String);
    old.end();
    const takesNext = pool.handle({ ...message({ logs: entries(1, 2), tag: RETRANSMISSION }), way: next });
    open();
    expect(await fate).toContain('aborted');
    await takesNext;
    await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 1, 2]));
    await vi.waitFor(() => expect(pool.ackOf(0, '10.0.0.1')).toBe(position(2)));
    expect(pool.pendingOf(0, '10.0.0.1')).toBe(0);
  });

  test('an open one that says nothing holds the new one up for a moment only', async () => {
    const replayer = new Recorder();
    const { pool } = makePool([replayer]);
    const silent = new MessageWay('10.0.0.1');
    await pool.handle({ ...message({ logs: entries(1) }), way: silent });
    await pool.handle({ ...message({ logs: entries(2) }), way: new MessageWay('10.0.0.1') });
    await pool.handle({ ...message({ logs: entries(3) }), way: silent });
    await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 2, 3]));
  });
});

test('an ack covers nothing that is not done when a sender begins again further back (I3)', async () => {
  const { replayer, open } = heldUp();
  const { pool } = makePool([replayer]);
  await pool.handle(message({ logs: entries(8, 9) }));
  await pool.handle(message({ logs: entries(3, 4) }));
  await pool.handle(message({ logs: entries(9, 10) }));
  expect(pool.ackOf(0)).toBe(0n);
  open();
  await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(10)));
});

test('two senders with the same shard are each told of their own entries (I3)', async () => {
  const { replayer, open } = heldUp();
  const { pool } = makePool([replayer]);
  const [one, other] = ['10.0.0.1', '10.0.0.2'].map((host) => new MessageWay(host));
  await pool.handle({ ...message({ logs: entries(50) }), way: one });
  open();
  await vi.waitFor(() => expect(pool.ackOf(0, '10.0.0.1')).toBe(position(50)));
  const later = heldUp();
  replayer.gate = later.replayer.gate;
  await pool.handle({ ...message({ logs: entries(70) }), way: one });
  await pool.handle({ ...message({ logs: entries(60) }), way: other });
  expect(pool.ackOf(0, '10.0.0.1')).toBe(position(50));
  expect(pool.ackOf(0, '10.0.0.2')).toBe(0n);
  later.open();
  await vi.waitFor(() => expect(pool.ackOf(0, '10.0.0.2')).toBe(position(60)));
  expect(pool.ackOf(0, '10.0.0.1')).toBe(position(70));
  expect(pool.shards.get(0)).toEqual({ pending: 0, ack: position(60) });
});

describe('a pause', () => {
  test('lets a replayer finish what it has, and gives it nothing more', async () => {
    const { replayer, open } = heldUp();
    const { pool } = makePool([replayer]);
    await pool.handle(message({ logs: entries(1) }));
    await vi.waitFor(() => expect(pool.lanes[0].queued).toBe(1));
    await Promise.resolve();
    const paused = pool.pause();
    await pool.handle(message({ logs: entries(2) }));
    open();
    await paused;
    expect(replayer.numbers).toEqual([1]);
    pool.resume();
    await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 2]));
  });

  test('does not wait for what a replayer has rejected, and gives it that again afterwards', async () => {
    const replayer = new Recorder();
    let isDown = true;
    replayer.rejects = () => isDown;
    const { pool } = makePool([replayer], { config: { retries: 1000 } });
    await pool.handle(message({ logs: entries(1) }));
    await vi.waitFor(() => expect(pool.lanes[0].stats.retries).toBe(1));
    await pool.pause();
    isDown = false;
    expect(replayer.numbers).toEqual([]);
    pool.resume();
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(1)));
  });

  test('is when what others do now can be withdrawn: it is not applied late (I2)', async () => {
    const { replayer, open } = heldUp();
    const { pool, budget } = makePool([replayer], { config: { batchEntries: 1 } });
    const reader = new AbortController();
    const done = vi.fn<() => void>();
    const withdrawn = reader.signal;
    await pool.handle({ ...message({ logs: entries(1) }, done), withdrawn });
    await vi.waitFor(() => expect(pool.lanes[0].queued).toBe(1));
    await pool.handle({ ...message({ logs: entries(2) }, done), withdrawn });
    await pool.handle(message({ logs: entries(3), shard: 1 }, done));
    const paused = pool.pause();
    open();
    await paused;
    reader.abort();
    pool.resume();
    await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 3]));
    expect(done).toHaveBeenCalledTimes(2);
    expect(pool.pendingOf(0)).toBe(0);
    expect(budget.usedBytes).toBe(0);
  });
});
