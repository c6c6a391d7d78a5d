import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { silentLogger, type Logger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { OplogSource } from '../../src/source/oplog-source.ts';
import { eventually } from '../../testbed/eventually.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { startTcpProxy, type TcpProxy } from '../../testbed/start-tcp-proxy.ts';
import { newestPosition, OplogRecorder, readOplog, type SeenEntry } from '../support/oplog-recorder.ts';
import { SteadyWriter } from '../support/steady-writer.ts';

const LIMIT_BYTES = 32 * 1024 * 1024;
const REPLY_TIMEOUT_MS = 2000;

let mongo: TestMongo;
let proxy: TcpProxy;
let source: OplogSource;
let budget: MemoryBudget;
let lines: string[];
let stats: { sourceReconnects: number };

beforeAll(async () => {
  mongo = await startMongo();
});

afterAll(async () => {
  await mongo.stop();
});

beforeEach(async () => {
  const [member] = mongo.members;
  proxy = await startTcpProxy(member?.host ?? '');
  budget = new MemoryBudget(LIMIT_BYTES);
  stats = { sourceReconnects: 0 };
  lines = [];
  const note = (text: object | string): void => {
    lines.push(JSON.stringify(text));
  };
  const logger: Logger = { ...silentLogger, info: note, warn: note };
  source = new OplogSource({
    url: `mongodb://${proxy.address}/`,
    connectMode: 'standalone',
    readConcern: 'majority',
    budget,
    logger,
    stats,
    replyTimeoutMs: REPLY_TIMEOUT_MS,
  });
  await source.open(new AbortController().signal);
});

afterEach(async () => {
  await source[Symbol.asyncDispose]();
  await proxy.close();
});

interface Outcome {
  readonly seen: readonly SeenEntry[];
  readonly oplog: readonly SeenEntry[];
}

/** Reads under a steady load with `harm` in the middle; what was read must be what the oplog holds. */
async function readThrough(harm: () => Promise<void>): Promise<Outcome> {
  const after = await newestPosition(mongo.url);
  const writer = new SteadyWriter(mongo.url);
  await using reading = new OplogRecorder({ source, after, budget });
  await eventually(() => reading.seen.length > 100, { what: 'a steady load' });
  await harm();
  const goal = writer.acknowledged + 50;
  await eventually(() => writer.acknowledged > goal, { what: 'the load to go on' });
  await writer.stop();
  await reading.reach(await newestPosition(mongo.url));
  await reading[Symbol.asyncDispose]();
  return { seen: reading.seen, oplog: await readOplog(mongo.url, after, reading.last) };
}

test('a cut network is survived without a gap or a repeat, with one line when it begins and one when it ends', async () => {
  const { seen, oplog } = await readThrough(async () => {
    proxy.cut();
    await eventually(() => stats.sourceReconnects >= 1, { what: 'the loss to be noticed' });
    proxy.resume();
  });
  expect(seen).toEqual(oplog);
  expect(lines.filter((line) => line.includes('cannot read'))).toHaveLength(1);
  expect(lines.filter((line) => line.includes('reading the oplog'))).toHaveLength(2);
});

test('a half-open connection, on which nothing comes any more, is given up after the reply timeout', async () => {
  const { seen, oplog } = await readThrough(async () => {
    proxy.stall();
    const startMs = performance.now();
    await eventually(() => stats.sourceReconnects >= 1, {
      what: 'the connection to be given up',
      timeoutMs: 20_000,
    });
    expect(performance.now() - startMs).toBeLessThan(REPLY_TIMEOUT_MS * 4);
    proxy.resume();
  });
  expect(seen).toEqual(oplog);
});

test('connections that a firewall has forgotten are replaced, though nobody says that they are dead', async () => {
  const { seen, oplog } = await readThrough(async () => {
    proxy.strand();
    await eventually(() => stats.sourceReconnects >= 1, {
      what: 'the connection to be given up',
      timeoutMs: 20_000,
    });
  });
  expect(seen).toEqual(oplog);
});

test('a stop is quick while a new connection is sought in vain', async () => {
  const reading = new OplogRecorder({ source, after: await newestPosition(mongo.url), budget });
  const writer = new SteadyWriter(mongo.url);
  await eventually(() => reading.seen.length > 10, { what: 'a steady load' });
  proxy.stall();
  await eventually(() => stats.sourceReconnects >= 1, { what: 'the loss to be noticed', timeoutMs: 20_000 });
  const startMs = performance.now();
  await reading[Symbol.asyncDispose]();
  expect(performance.now() - startMs).toBeLessThan(2500);
  proxy.resume();
  await writer.stop();
});

test('a stop is quick while the connection is half-open', async () => {
  const reading = new OplogRecorder({ source, after: await newestPosition(mongo.url), budget });
  const writer = new SteadyWriter(mongo.url);
  await eventually(() => reading.seen.length > 10, { what: 'a steady load' });
  proxy.stall();
  const startMs = performance.now();
  await reading[Symbol.asyncDispose]();
  expect(performance.now() - startMs).toBeLessThan(2500);
  proxy.resume();
  await writer.stop();
});

test('a frozen mongod is survived without a gap or a repeat', async () => {
  const { seen, oplog } = await readThrough(async () => {
    const [member] = mongo.members;
    member?.freeze();
    try {
      await eventually(() => stats.sourceReconnects >= 1, {
        what: 'the connection to be given up',
        timeoutMs: 20_000,
      });
    } finally {
      member?.thaw();
    }
  });
  expect(seen).toEqual(oplog);
});
