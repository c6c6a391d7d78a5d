import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLogger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { OplogWindow } from '../../src/source/change-source.ts';
import { OplogSource } from '../../src/source/oplog-source.ts';
import { PositionLostError } from '../../src/source/position-lost-error.ts';
import { eventually } from '../../testbed/eventually.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { newestPosition, OplogRecorder } from '../support/oplog-recorder.ts';

const MIB = 1024 * 1024;
const OPLOG_MB = 16;

let mongo: TestMongo;
let client: MongoClient;

beforeAll(async () => {
  // The server keeps entries until a checkpoint of its storage no longer needs them: let it make one every second.
  mongo = await startMongo({ oplogSizeMb: OPLOG_MB, extraArguments: ['--syncdelay', '1'] });
  client = new MongoClient(mongo.url);
});

afterAll(async () => {
  await client.close();
  await mongo.stop();
});

async function openSource(budget: MemoryBudget): Promise<OplogSource> {
  const source = new OplogSource({
    url: mongo.url,
    connectMode: 'primary',
    readConcern: 'majority',
    budget,
    logger: silentLogger,
  });
  await source.open(new AbortController().signal);
  return source;
}

function windowOf(source: OplogSource): Promise<OplogWindow> {
  return source.window(new AbortController().signal);
}

/** Writes until the oldest entry is newer than the position. */
async function rollPast(source: OplogSource, position: bigint): Promise<void> {
  const docs = Array.from({ length: 20 }, () => ({ text: 'x'.repeat(200_000) }));
  await eventually(
    async () => {
      await client
        .db('roll')
        .collection('c')
        .insertMany(docs.map((doc) => ({ ...doc })));
      return (await windowOf(source)).oldest > position;
    },
    { what: 'the oplog to roll over', timeoutMs: 90_000, everyMs: 0 },
  );
}

test('I7: a position that left the oplog while we were stopped is an error that names the gap', async () => {
  const budget = new MemoryBudget(64 * MIB);
  await using source = await openSource(budget);
  const position = await newestPosition(mongo.url);
  await rollPast(source, position);
  await using reading = new OplogRecorder({ source, after: position, budget });
  await reading.ended();
  expect(reading.error).toBeInstanceOf(PositionLostError);
  expect(reading.error).toMatchObject({ from: position, code: 'POSITION_LOST', retry: 'fatal' });
  expect(reading.seen).toEqual([]);
});

test(
  'I7: a position that leaves the oplog while a full queue stops the cursor is an error too',
  { timeout: 120_000 },
  async () => {
    const budget = new MemoryBudget(4 * MIB);
    await using source = await openSource(budget);
    const after = await newestPosition(mongo.url);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    await using reading = new OplogRecorder({
      source,
      after,
      budget,
      onBatch: () => {
        budget.take(4 * MIB);
        return gate.then(() => budget.give(4 * MIB));
      },
    });
    await client.db('roll').collection('c').insertOne({ first: true });
    await eventually(() => reading.batches === 1, { what: 'the first batch' });
    await rollPast(source, reading.last);
    goOn();
    await reading.ended();
    expect(reading.error).toBeInstanceOf(PositionLostError);
    // One batch may have been under way when the queue was full.
    expect(reading.batches).toBeLessThanOrEqual(2);
  },
);
