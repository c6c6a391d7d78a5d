import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { readEntry } from '../../test/support/oplog-entry.ts';
import { rawMessage } from '../../test/support/raw-message.ts';
import {
  deadLetterPath,
  entries,
  makePool,
  message,
  position,
  PROBE,
  Recorder,
  RETRANSMISSION,
  spoiled,
} from '../../test/support/replayer-pool-under-test.ts';
import { RawMessageError } from '../message/raw-message-error.ts';
import { findField } from '../oplog/find-field.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';

describe('answers', () => {
  test('are those of a MongoShake receiver, message after message', async () => {
    const { pool } = makePool([new Recorder()]);
    const one = { logs: entries(1) };
    expect(await pool.handle(message(one))).toBe(0n);
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(1)));
    expect(await pool.handle(message({ logs: [], tag: PROBE }))).toBe(position(1));
    expect(await pool.handle(spoiled(one, 0, 12345))).toBe(-6n);
    expect(await pool.handle(message(one))).toBe(-4n);
    expect(await pool.handle(message({ logs: [], tag: PROBE }))).toBe(-4n);
    await pool.handle(message({ ...one, tag: RETRANSMISSION }));
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(1)));
    expect(await pool.handle(spoiled(one, 12, 9))).toBe(-7n);
    expect(await pool.handle(message({ logs: [], tag: RETRANSMISSION }))).toBe(position(1));
    const garbage = spoiled({ logs: [Buffer.from('no deflate data')] }, 12, 4);
    garbage.bytes.writeUInt32BE(0, 0);
    expect(await pool.handle(garbage)).toBe(-8n);
    await pool.handle(message({ ...one, tag: RETRANSMISSION, compressor: 'gzip' }));
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(1)));
  });

  test('of one shard say nothing of another (I3)', async () => {
    const slow = new Recorder();
    let open = (): void => {};
    slow.gate = new Promise((resolve) => {
      open = resolve;
    });
    const quick = new Recorder();
    const { pool } = makePool([slow, quick]);
    await pool.handle(message({ logs: entries(1), shard: 0 }));
    await pool.handle(message({ logs: entries(9), shard: 1 }));
    await vi.waitFor(() => expect(pool.ackOf(1)).toBe(position(9)));
    expect(pool.ackOf(0)).toBe(0n);
    expect(pool.pendingOf(0)).toBe(1);
    open();
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(1)));
  });

  test('do not cover a position of which a part is still to be done (I3)', async () => {
    const replayer = new Recorder();
    const { pool } = makePool([replayer], { config: { batchEntries: 1 } });
    // Operations of one transaction have one position, and a message may end between them.
    let open = (): void => {};
    await pool.handle(message({ logs: entries(4, 5) }));
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(5)));
    replayer.gate = new Promise((resolve) => {
      open = resolve;
    });
    await pool.handle(message({ logs: entries(5, 6) }));
    expect(pool.ackOf(0)).toBe(position(4) + 0n);
    open();
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(6)));
  });
});

test('shards are folded to the replayers, each in its order (I2)', async () => {
  const replayers = [new Recorder(), new Recorder()];
  const { pool } = makePool(replayers);
  for (let number = 1; number <= 20; number++) {
    await pool.handle(message({ logs: entries(number), shard: number % 4 }));
  }
  await vi.waitFor(() => expect(replayers.flatMap(({ numbers }) => numbers)).toHaveLength(20));
  expect(replayers[0].numbers).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
  expect(replayers[1].numbers).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19]);
});

test('a batch is no larger than replayer.batch_size, and is done when all its parts are', async () => {
  const replayer = new Recorder();
  const { pool } = makePool([replayer], { config: { batchEntries: 2 } });
  const done = vi.fn<() => void>();
  await pool.handle(message({ logs: entries(1, 2, 3, 4, 5) }, done));
  await vi.waitFor(() => expect(done).toHaveBeenCalledTimes(1));
  expect(replayer.batches).toEqual([[1, 2], [3, 4], [5]]);
});

test('a replayer that is slow holds back who sends, within the budget (I4)', async () => {
  const replayer = new Recorder();
  let open = (): void => {};
  replayer.gate = new Promise((resolve) => {
    open = resolve;
  });
  const budget = new MemoryBudget(2000);
  const { pool } = makePool([replayer], { budget });
  await pool.handle(message({ logs: entries(1, 2, 3) }));
  let taken = false;
  const second = pool.handle(message({ logs: entries(4, 5, 6, 7, 8) })).finally(() => {
    taken = true;
  });
  await new Promise((resolve) => {
    setTimeout(resolve, 50);
  });
  expect(taken).toBe(false);
  expect(budget.usedBytes).toBeLessThanOrEqual(2000);
  open();
  await second;
  await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8]));
  await vi.waitFor(() => expect(budget.usedBytes).toBe(0));
});

test('what a replayer rejects is given to it again, and only then counts (I3)', async () => {
  const replayer = new Recorder();
  let rejections = 2;
  replayer.rejects = () => rejections-- > 0;
  const { pool } = makePool([replayer], { config: { retries: 5 } });
  await pool.handle(message({ logs: entries(1, 2) }));
  await vi.waitFor(() => expect(pool.lanes[0].stats.trouble).toContain('the target does not like it'));
  expect(pool.ackOf(0)).toBe(0n);
  await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(2)));
  expect(replayer.attempts).toEqual([0, 1, 2]);
  expect(pool.lanes[0].stats).toMatchObject({ done: 2, retries: 2, skipped: 0, trouble: undefined });
});

describe('an entry that a replayer keeps rejecting', () => {
  const poison = (numbers: readonly number[]): boolean => numbers.includes(3);

  test('stops the receiver, and it and what follows are not done', async () => {
    const replayer = new Recorder();
    replayer.rejects = poison;
    const { pool } = makePool([replayer], { config: { retries: 1 } });
    const done = vi.fn<() => void>();
    await pool.handle(message({ logs: entries(1, 2, 3, 4) }, done));
    await vi.waitFor(() => expect(pool.failed.aborted).toBe(true));
    expect(pool.failed.reason).toMatchObject({ code: 'REPLAYER_FAILED' });
    expect(done).not.toHaveBeenCalled();
    expect(pool.ackOf(0)).toBe(0n);
    await expect(pool.handle(message({ logs: entries(5) }))).rejects.toMatchObject({
      code: 'REPLAYER_FAILED',
    });
  });

  test('is skipped, and the others are applied in order', async () => {
    const replayer = new Recorder();
    replayer.rejects = poison;
    const { pool, logger } = makePool([replayer], { config: { onError: 'skip' } });
    await pool.handle(message({ logs: entries(1, 2, 3, 4, 5) }));
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(5)));
    expect(replayer.numbers).toEqual([1, 2, 4, 5]);
    expect(pool.lanes[0].stats).toMatchObject({ skipped: 1, deadLettered: 0 });
    expect(logger.text).toMatch(/error .*"position":"1582277156:3".*entry left out/);
  });

  test('goes to the dead letters with its bytes', async () => {
    const replayer = new Recorder();
    replayer.rejects = poison;
    const { pool } = makePool([replayer], { config: { onError: 'dead_letter' } });
    await pool.handle(message({ logs: entries(3, 4) }));
    await vi.waitFor(() => expect(pool.ackOf(0)).toBe(position(4)));
    const [line, ...rest] = readFileSync(deadLetterPath(), 'utf8').trim().split('\n');
    expect(rest).toEqual([]);
    const letter: Record<string, string> = JSON.parse(line);
    expect(letter).toMatchObject({
      kind: 'entry',
      ns: 'shop.orders',
      op: 'i',
      position: '1582277156:3',
      from: 'here:1',
      error: 'the target does not like it',
    });
    expect(readEntry(Buffer.from(letter['bytes'], 'base64')).number).toBe(3);
  });
});

describe('a message of a topic or a file that cannot be read', () => {
  test('stops the receiver', async () => {
    const { pool } = makePool([new Recorder()]);
    const done = vi.fn<() => void>();
    const bad = { ...spoiled({ logs: entries(1) }, 0, 12345), onDone: done };
    await expect(pool.handle(bad)).rejects.toMatchObject({ code: 'REPLAYER_FAILED' });
    expect(pool.failed.aborted).toBe(true);
    expect(done).not.toHaveBeenCalled();
  });

  test('is left out after what came before it', async () => {
    const replayer = new Recorder();
    const { pool } = makePool([replayer], { config: { onError: 'dead_letter' } });
    const order: string[] = [];
    await pool.handle(message({ logs: entries(1) }, () => order.push('first')));
    await pool.handle({ ...spoiled({ logs: entries(2) }, 0, 12345), onDone: () => order.push('bad') });
    await pool.handle(message({ logs: entries(3) }, () => order.push('third')));
    await vi.waitFor(() => expect(order).toEqual(['first', 'bad', 'third']));
    expect(replayer.numbers).toEqual([1, 3]);
    expect(readFileSync(deadLetterPath(), 'utf8')).toContain('"kind":"message"');
  });
});

test('a log that is not BSON is given up, and nothing else', async () => {
  const replayer = new Recorder();
  const { pool } = makePool([replayer], { config: { onError: 'skip' } });
  const [first, last] = entries(1, 2);
  await pool.handle(message({ logs: [first, Buffer.from('not BSON at all'), last] }));
  await vi.waitFor(() => expect(pool.lanes[0].stats.done).toBe(3));
  expect(replayer.numbers).toEqual([1, 2]);
  expect(pool.lanes[0].stats.skipped).toBe(1);
});

test('a log that is not BSON does not end a receiver that stops at errors: its message is refused', async () => {
  const replayer = new Recorder();
  const { pool, logger } = makePool([replayer]);
  const [first, last] = entries(1, 2);
  const bad = message({ logs: [first, Buffer.from('not BSON at all')] });
  for (let time = 0; time < 5; time++) {
    expect(await pool.handle(bad)).toBe(-8n);
    expect(await pool.handle(message({ logs: [], tag: RETRANSMISSION }))).toBe(0n);
  }
  await pool.handle(message({ logs: [first, last] }));
  await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 2]));
  expect(pool.failed.aborted).toBe(false);
  expect(pool.refused).toBe(5);
  expect(logger.lines.filter((line) => line.includes('a log is not BSON'))).toHaveLength(1);
});

test('an entry that is broken deep inside is left out when it was sent, whatever is to be done about errors', async () => {
  const replayer = new Recorder();
  replayer.rejects = (numbers) => numbers.includes(2);
  const { pool } = makePool([replayer], { config: { retries: 1000 } });
  const [first, broken, last] = entries(1, 2, 3);
  const ofInside = findField(broken, 0, 'o');
  broken[ofInside + 4] = 0x77;
  await pool.handle(message({ logs: [first, broken, last] }));
  await vi.waitFor(() => expect(replayer.numbers).toEqual([1, 3]));
  expect(pool.lanes[0].stats.skipped).toBe(1);
  expect(pool.failed.aborted).toBe(false);
  const done = vi.fn<() => void>();
  await pool.handle(message({ logs: [broken] }, done));
  await vi.waitFor(() => expect(pool.failed.aborted).toBe(true));
  expect(done).not.toHaveBeenCalled();
});

test('bytes that nobody should send crash nothing and hold nothing', async () => {
  const replayer = new Recorder();
  const { pool, budget } = makePool([replayer], { config: { onError: 'skip' } });
  const valid = rawMessage({ logs: entries(1, 2, 3), compressor: 'zlib' });
  // A fixed sequence (Park and Miller), so that a failure can be seen again.
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  for (let round = 0; round < 3000; round++) {
    const bytes = Buffer.from(valid.subarray(0, random(3) === 0 ? random(valid.length) : valid.length));
    for (let change = random(4); change > 0 && bytes.length > 0; change--)
      bytes[random(bytes.length)] = random(256);
    const lasting = random(2) === 0 ? { onDone: () => undefined } : {};
    const given = { form: 'raw' as const, bytes, shard: random(5), tag: random(2), from: 'fuzz', ...lasting };
    const reply: unknown = await pool.handle(given).catch((error: unknown) => error);
    expect(typeof reply === 'bigint' || reply instanceof RawMessageError).toBe(true);
  }
  await Promise.all(pool.lanes.map((lane) => lane.idle()));
  expect(pool.failed.aborted).toBe(false);
  expect(budget.usedBytes).toBe(0);
});

test('a stop waits for what is in the hands of a replayer, and leaves the rest undone', async () => {
  const replayer = new Recorder();
  let open = (): void => {};
  replayer.gate = new Promise((resolve) => {
    open = resolve;
  });
  const { pool } = makePool([replayer], { config: { batchEntries: 1 } });
  const done = vi.fn<() => void>();
  await pool.handle(message({ logs: entries(1) }, done));
  await vi.waitFor(() => expect(pool.lanes[0].queued).toBe(1));
  await pool.handle(message({ logs: entries(2) }, done));
  const stopped = pool.stop();
  open();
  await stopped;
  expect(replayer.numbers).toEqual([1]);
  expect(done).toHaveBeenCalledTimes(1);
});
