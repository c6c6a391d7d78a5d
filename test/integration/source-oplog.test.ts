import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger, type Logger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { OplogSource, type OplogSourceOptions } from '../../src/source/oplog-source.ts';
import { ForeignPositionError, PositionLostError } from '../../src/source/position-lost-error.ts';
import { eventually } from '../../testbed/eventually.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import {
  entriesOf,
  newestPosition,
  OplogRecorder,
  readOplog,
  type SeenEntry,
} from '../support/oplog-recorder.ts';

const MIB = 1024 * 1024;

let mongo: TestMongo;
let client: MongoClient;

beforeAll(async () => {
  mongo = await startMongo();
  client = new MongoClient(mongo.url);
});

afterAll(async () => {
  await client.close();
  await mongo.stop();
});

async function openSource(options: Partial<OplogSourceOptions> = {}) {
  const budget = options.budget ?? new MemoryBudget(64 * MIB);
  const source = new OplogSource({
    url: mongo.url,
    connectMode: 'secondaryPreferred',
    readConcern: 'majority',
    logger: silentLogger,
    ...options,
    budget,
  });
  await source.open(new AbortController().signal);
  return { source, budget };
}

async function insertMany(count: number, padding = 100): Promise<void> {
  const docs = Array.from({ length: count }, (_, i) => ({ i, padding: 'x'.repeat(padding) }));
  await client
    .db('source')
    .collection('c')
    .insertMany(docs, { writeConcern: { w: 'majority' } });
}

describe('OplogSource', () => {
  test.each([1, 2, 7, 1000, undefined])(
    'hands out every entry once and in order, byte for byte, at most %s at once',
    async (batchSizeMax) => {
      const after = await newestPosition(mongo.url);
      await insertMany(300);
      const newest = await newestPosition(mongo.url);
      const { source, budget } = await openSource(batchSizeMax === undefined ? {} : { batchSizeMax });
      await using reading = new OplogRecorder({ source, after, budget });
      await reading.reach(newest);
      await insertMany(50);
      const later = await newestPosition(mongo.url);
      await reading.reach(later);
      expect(reading.seen).toEqual(await readOplog(mongo.url, after, reading.last));
      await source[Symbol.asyncDispose]();
    },
  );

  test('I4: documents of 16 MB pass a budget of 20 MB, one reply over it at most', async () => {
    const after = await newestPosition(mongo.url);
    for (let i = 0; i < 6; i++) await insertMany(1, 16 * MIB - 100);
    await insertMany(2000, 10_000);
    const newest = await newestPosition(mongo.url);
    const budget = new MemoryBudget(20 * MIB);
    const { source } = await openSource({ budget });
    await using reading = new OplogRecorder({ source, after, budget });
    await reading.reach(newest);
    expect(reading.seen).toEqual(await readOplog(mongo.url, after, reading.last));
    expect(budget.peakBytes).toBeLessThan(20 * MIB + 17 * MIB);
    await reading[Symbol.asyncDispose]();
    expect(budget.usedBytes).toBe(0);
    await source[Symbol.asyncDispose]();
  });

  test('I4: without room in the budget nothing more is fetched, and reading goes on when there is', async () => {
    const after = await newestPosition(mongo.url);
    await insertMany(5000, 1000);
    const newest = await newestPosition(mongo.url);
    const budget = new MemoryBudget(2 * MIB);
    const { source } = await openSource({ budget });
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const held = 2 * MIB;
    await using reading = new OplogRecorder({
      source,
      after,
      budget,
      onBatch: async () => {
        if (reading.batches > 1) return;
        budget.take(held);
        await gate;
      },
    });
    await eventually(() => reading.batches === 1, { what: 'the first batch' });
    const getMores = await countGetMores();
    open();
    await eventually(() => budget.usedBytes === held, { what: 'the first batch to be given back' });
    expect((await countGetMores()) - getMores).toBeLessThanOrEqual(1);
    expect(reading.last).toBeLessThan(newest);
    budget.give(held);
    await reading.reach(newest);
    expect(reading.seen).toEqual(await readOplog(mongo.url, after, reading.last));
    await source[Symbol.asyncDispose]();
  });

  test('a point in time that has no entry is a good start when older entries exist', async () => {
    await insertMany(1);
    const first = await newestPosition(mongo.url);
    const pointInTime = ((first >> 32n) + 1n) << 32n;
    await eventually(
      async () => {
        await insertMany(1);
        return (await newestPosition(mongo.url)) > pointInTime + (1n << 32n);
      },
      { what: 'the next second', everyMs: 200 },
    );
    const { source, budget } = await openSource();
    await using reading = new OplogRecorder({ source, after: pointInTime, budget });
    const newest = await newestPosition(mongo.url);
    await reading.reach(newest);
    expect(reading.seen).toEqual(await readOplog(mongo.url, pointInTime, reading.last));
    await source[Symbol.asyncDispose]();
  });

  test('1970 starts at the oldest entry', async () => {
    const { source, budget } = await openSource();
    await using reading = new OplogRecorder({ source, after: 1n << 32n, budget });
    const window = await source.window(new AbortController().signal);
    await reading.reach(window.newest);
    expect(reading.seen[0]?.position).toBe(window.oldest);
    await source[Symbol.asyncDispose]();
  });

  test('I7: a position before the oldest entry stops with the gap named', async () => {
    const { source, budget } = await openSource();
    const { oldest } = await source.window(new AbortController().signal);
    await using reading = new OplogRecorder({ source, after: oldest - 1n, budget });
    await reading.ended();
    expect(reading.error).toBeInstanceOf(PositionLostError);
    expect(reading.error).toMatchObject({ from: oldest - 1n, to: oldest });
    expect(reading.seen).toEqual([]);
    await source[Symbol.asyncDispose]();
  });

  test('I7: a checkpoint that this oplog never held stops, though older entries exist', async () => {
    const newest = await newestPosition(mongo.url);
    const foreign = newest + 1000n;
    await eventually(
      async () => {
        await insertMany(1);
        return (await newestPosition(mongo.url)) > foreign;
      },
      { what: 'entries after the foreign position', everyMs: 200 },
    );
    const { source, budget } = await openSource();
    await using reading = new OplogRecorder({ source, after: foreign, budget });
    await reading.ended();
    expect(reading.error).toBeInstanceOf(ForeignPositionError);
    expect(reading.seen).toEqual([]);
    await source[Symbol.asyncDispose]();
  });

  test('a start in the future is said and waited for', async () => {
    const lines: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (text) => lines.push(JSON.stringify(text)) };
    const { source, budget } = await openSource({ logger });
    const future = ((await newestPosition(mongo.url)) >> 32n) + 3n;
    await using reading = new OplogRecorder({ source, after: future << 32n, budget });
    await eventually(
      async () => {
        await insertMany(1);
        return reading.seen.length > 0;
      },
      { what: 'the future', everyMs: 200 },
    );
    await reading[Symbol.asyncDispose]();
    expect(lines.join('\n')).toContain('older than our position');
    expect(reading.seen).toEqual(await readOplog(mongo.url, future << 32n, reading.last));
    await source[Symbol.asyncDispose]();
  });

  test('idle costs fewer than two commands a second, and a majority-acknowledged insert still comes at once', async () => {
    const after = await newestPosition(mongo.url);
    const { source, budget } = await openSource();
    const arrivals = new Map<bigint, number>();
    await using reading = new OplogRecorder({
      source,
      after,
      budget,
      onBatch: (batch) => {
        for (const { position } of entriesOf(batch)) arrivals.set(position, performance.now());
      },
    });
    const delays: number[] = [];
    for (let i = 0; i < 40; i++) {
      await insertMany(1);
      const ackedAtMs = performance.now();
      const position = await newestPosition(mongo.url);
      await reading.reach(position);
      delays.push((arrivals.get(position) ?? Infinity) - ackedAtMs);
    }
    delays.sort((a, b) => a - b);
    expect(delays[20]).toBeLessThan(30);

    const before = await countGetMores();
    const startMs = performance.now();
    await eventually(() => performance.now() - startMs > 4000, { what: 'four idle seconds' });
    const perSecond = ((await countGetMores()) - before) / ((performance.now() - startMs) / 1000);
    expect(perSecond).toBeLessThan(2);
    await source[Symbol.asyncDispose]();
  });

  test('stops at once when it is told to, also while it waits for the oplog', async () => {
    const { source, budget } = await openSource({ awaitMs: 20_000 });
    const reading = new OplogRecorder({ source, after: await newestPosition(mongo.url), budget });
    await insertMany(1);
    await reading.reach(await newestPosition(mongo.url));
    const startMs = performance.now();
    await reading[Symbol.asyncDispose]();
    expect(performance.now() - startMs).toBeLessThan(1000);
    expect(reading.error).toBeUndefined();
    await source[Symbol.asyncDispose]();
  });

  test('leaves no cursor open on the server', async () => {
    const { source, budget } = await openSource();
    const reading = new OplogRecorder({ source, after: await newestPosition(mongo.url), budget });
    await insertMany(1);
    await reading.reach(await newestPosition(mongo.url));
    await reading[Symbol.asyncDispose]();
    await source[Symbol.asyncDispose]();
    expect(await eventually(noCursorIsOpen, { what: 'all cursors to be closed' })).toBe(true);
  });
});

describe('fetch', () => {
  test('reads exactly the asked entries again, in oplog order', async () => {
    const after = await newestPosition(mongo.url);
    await insertMany(1500);
    const all = await readOplog(mongo.url, after, await newestPosition(mongo.url));
    const wanted = all.filter((_, i) => i % 3 === 0);
    const { source, budget } = await openSource();
    const got: SeenEntry[] = [];
    const positions = wanted.map(({ position }) => position).toReversed();
    for await (const batch of source.fetch(positions, new AbortController().signal)) {
      got.push(...entriesOf(batch));
      budget.give(batch.budgetBytes);
    }
    expect(got).toEqual(wanted);
    expect(budget.usedBytes).toBe(0);
    await source[Symbol.asyncDispose]();
  });

  test('large entries come in several replies', async () => {
    const after = await newestPosition(mongo.url);
    for (let i = 0; i < 4; i++) await insertMany(1, 10 * MIB);
    const all = await readOplog(mongo.url, after, await newestPosition(mongo.url));
    const { source, budget } = await openSource();
    const got: SeenEntry[] = [];
    for await (const batch of source.fetch(
      all.map(({ position }) => position),
      new AbortController().signal,
    )) {
      got.push(...entriesOf(batch));
      budget.give(batch.budgetBytes);
    }
    expect(got).toEqual(all);
    await source[Symbol.asyncDispose]();
  });

  test('I7: an entry that has left the oplog is an error, and so is one that never was', async () => {
    const { source } = await openSource();
    const { oldest, newest } = await source.window(new AbortController().signal);
    const read = async (positions: bigint[]): Promise<void> => {
      for await (const batch of source.fetch(positions, new AbortController().signal)) entriesOf(batch);
    };
    await expect(read([oldest - 1n, newest])).rejects.toThrow(PositionLostError);
    await expect(read([(newest >> 32n) << 32n])).rejects.toThrow(ForeignPositionError);
    await source[Symbol.asyncDispose]();
  });
});

async function countGetMores(): Promise<number> {
  const status = await client.db('admin').command({ serverStatus: 1 });
  const getMores: unknown = status['opcounters']?.getmore;
  return Number(getMores);
}

async function noCursorIsOpen(): Promise<boolean> {
  const status = await client.db('admin').command({ serverStatus: 1 });
  const open: unknown = status['metrics']?.cursor?.open?.total;
  return Number(open) === 0;
}
