import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BSON, MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../testbed/eventually.ts';
import { canListen, freePort } from '../../testbed/free-port.ts';
import { makeTempFolder } from '../../testbed/process-guard.ts';
import { runCollector, type RunningCollector } from '../../testbed/run-collector.ts';
import { runReceiver, type RunningReceiver } from '../../testbed/run-receiver.ts';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { uniqueName } from '../support/collector-job.ts';
import { everyType } from '../support/every-type.ts';

const WORKERS = 4;
const PER_ROUND = 400;

let mongo: TestMongo;
let kafka: TestKafka;
let client: MongoClient;

beforeAll(async () => {
  [mongo, kafka] = await Promise.all([startMongo(), startKafka()]);
  client = await MongoClient.connect(mongo.url);
});

afterAll(async () => {
  await client?.close();
  await Promise.all([mongo?.stop(), kafka?.[Symbol.asyncDispose]()]);
});

/** Both halves of a tunnel: lines of the two configurations. */
interface Tunnel {
  readonly collector: Record<string, string | number>;
  readonly receiver: Record<string, string | number>;
}

async function socketTunnel(kind: 'tcp' | 'rpc', conf: Tunnel['collector'] = {}): Promise<Tunnel> {
  const address = `127.0.0.1:${await portPair()}`;
  const both = { tunnel: kind, 'tunnel.address': address };
  return { collector: { ...both, ...conf }, receiver: both };
}

/** A free port of which the next one is free too: tcp uses both. */
async function portPair(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (await canListen(port + 1)) return port;
  }
}

async function fileTunnel(conf: Tunnel['collector'] = {}): Promise<Tunnel> {
  const both = { tunnel: 'file', 'tunnel.address': `${makeTempFolder('file-tunnel')}/oplog.data` };
  return { collector: { ...both, ...conf }, receiver: both };
}

async function kafkaTunnel(conf: Tunnel['collector'] = {}): Promise<Tunnel> {
  const topic = uniqueName('receiver');
  await kafka.createTopic({ topic, partitions: WORKERS });
  const both = { tunnel: 'kafka', 'tunnel.address': `${topic}@${kafka.brokers}` };
  return {
    collector: { ...both, 'tunnel.kafka.partition_number': WORKERS, ...conf },
    receiver: { ...both, 'tunnel.kafka.group': topic },
  };
}

const tunnels: ReadonlyArray<[string, () => Promise<Tunnel>]> = [
  ['tcp', () => socketTunnel('tcp')],
  ['tcp, gzip', () => socketTunnel('tcp', { 'incr_sync.worker.oplog_compressor': 'gzip' })],
  ['rpc', () => socketTunnel('rpc')],
  ['rpc, deflate', () => socketTunnel('rpc', { 'incr_sync.worker.oplog_compressor': 'deflate' })],
  ['file, raw', () => fileTunnel()],
  ['file, zlib', () => fileTunnel({ 'incr_sync.worker.oplog_compressor': 'zlib' })],
  ['file, bson', () => fileTunnel({ 'tunnel.message': 'bson' })],
  [
    'file, json',
    () => fileTunnel({ 'tunnel.message': 'json', 'tunnel.json.format': 'canonical_extended_json' }),
  ],
  ['kafka, raw', () => kafkaTunnel()],
  ['kafka, bson, zstd', () => kafkaTunnel({ 'tunnel.message': 'bson', 'tunnel.kafka.compression': 'zstd' })],
  [
    'kafka, bson, exactly once',
    () => kafkaTunnel({ 'tunnel.message': 'bson', 'tunnel.kafka.delivery': 'exactly_once' }),
  ],
  [
    'kafka, json',
    () => kafkaTunnel({ 'tunnel.message': 'json', 'tunnel.json.format': 'canonical_extended_json' }),
  ],
];

class Pair {
  readonly database: string;
  readonly collector: RunningCollector;
  readonly receiver: RunningReceiver;
  written = 0;

  constructor(parts: { collector: RunningCollector; receiver: RunningReceiver; database: string }) {
    this.collector = parts.collector;
    this.receiver = parts.receiver;
    this.database = parts.database;
  }

  /** Inserts numbered documents of a few keys. */
  async write(count = PER_ROUND): Promise<void> {
    const documents = Array.from({ length: count }, (_, i) => ({
      key: (this.written + i) % 7,
      n: this.written + i,
    }));
    for (let at = 0; at < count; at += 100) {
      await client
        .db(this.database)
        .collection(`c${(at / 100) % 3}`)
        .insertMany(documents.slice(at, at + 100));
    }
    this.written += count;
  }

  /** Numbers in the order in which they came, by collection. */
  received(): Map<string, number[]> {
    const numbers = new Map<string, number[]>();
    for (const line of this.receiver.lines()) {
      const { op, ns, o } = parseLine(line);
      if (op !== 'i' || o.n === undefined) continue;
      numbers.set(ns, [...(numbers.get(ns) ?? []), o.n]);
    }
    return numbers;
  }

  async complete(): Promise<void> {
    await eventually(() => new Set([...this.received().values()].flat()).size === this.written, {
      what: `${this.written} entries`,
      timeoutMs: 40_000,
      everyMs: 100,
      detail: () => `${[...this.received().values()].flat().length}\n${this.receiver.log.slice(-2000)}`,
    });
  }
}

async function startPair(tunnel: Tunnel, receiverConf: Record<string, string | number> = {}): Promise<Pair> {
  const database = uniqueName('pair');
  await client.db(database).collection('c0').insertOne({ before: true });
  const receiver = await runReceiver({
    conf: { ...tunnel.receiver, replayer: WORKERS, ...receiverConf },
  });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  const collector = await runCollector({
    conf: {
      mongo_urls: mongo.url,
      'incr_sync.worker': WORKERS,
      'filter.namespace.white': database,
      'checkpoint.storage.collection': uniqueName('ckpt'),
      'checkpoint.interval': 500,
      ...tunnel.collector,
    },
  });
  onTestFinished(() => collector[Symbol.asyncDispose]());
  return new Pair({ collector, receiver, database });
}

function parseLine(line: string): { op: string; ns: string; o: { n?: number } } {
  const entry: ReturnType<typeof parseLine> = BSON.EJSON.parse(line);
  return entry;
}

/** Repeats may come, but after a repeat all that followed it comes again: the last of each is in its place. */
function endsInOrder(numbers: readonly number[]): boolean {
  const last = new Map(numbers.map((n, at) => [n, at]));
  const places = [...last].toSorted(([a], [b]) => a - b).map(([, at]) => at);
  return places.every((at, i) => i === 0 || at > places[i - 1]);
}

describe.each(tunnels)('%s: collector to receiver', (_, makeTunnel) => {
  test('carries every entry in order, once while nothing breaks (I2)', async () => {
    const pair = await startPair(await makeTunnel());
    await pair.write();
    await pair.complete();
    for (const numbers of pair.received().values()) {
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
    }
  });

  test('carries every BSON type', async () => {
    const pair = await startPair(await makeTunnel());
    const collection = client.db(pair.database).collection('types');
    await collection.insertOne(everyType());
    const line = await eventually(() => pair.receiver.lines().find((text) => text.includes('.types"')), {
      what: 'the entry of all types',
    });
    const [stored] = await client
      .db('local')
      .collection('oplog.rs', { promoteValues: false, bsonRegExp: true })
      .find({ ns: `${pair.database}.types`, op: 'i' })
      .toArray();
    const received = parseLine(line);
    expect(received.o).toEqual(BSON.EJSON.parse(BSON.EJSON.stringify(stored['o'], { relaxed: true })));
  });
});

describe.each(
  tunnels.filter(([name]) =>
    ['tcp', 'rpc', 'file, raw', 'kafka, raw', 'kafka, bson, exactly once'].includes(name),
  ),
)('%s: when halves are killed', (_, makeTunnel) => {
  test('every entry arrives, in order (I1, I2, I3)', async () => {
    const pair = await startPair(await makeTunnel());
    await pair.write();
    await pair.receiver.kill();
    await pair.write();
    await pair.receiver.start();
    await pair.write();
    await pair.collector.kill();
    await pair.write();
    await pair.collector.start();
    await pair.write();
    await pair.receiver.stop();
    await pair.receiver.start();
    await pair.write();
    await pair.complete();
    for (const numbers of pair.received().values()) expect(endsInOrder(numbers)).toBe(true);
  });
});

test('two receivers of a group share the partitions, and one takes over from the other (I3)', async () => {
  const tunnel = await kafkaTunnel({ 'tunnel.message': 'bson', 'incr_sync.shard_key': 'id' });
  const pair = await startPair(tunnel);
  const other = await runReceiver({ conf: { ...tunnel.receiver, id: 'other' } });
  onTestFinished(() => other[Symbol.asyncDispose]());
  await other.waitForLog(/partitions of the topic to read/);
  await pair.write();
  const all = (): Set<number> =>
    new Set(
      [...pair.receiver.lines(), ...other.lines()].flatMap((line) => {
        const { o } = parseLine(line);
        return o.n === undefined ? [] : [o.n];
      }),
    );
  await eventually(() => all().size === pair.written, { what: 'all entries', everyMs: 100 });
  expect(other.lines().length).toBeGreaterThan(0);
  expect(pair.receiver.lines().length).toBeGreaterThan(0);
  await other.stop();
  await pair.write();
  await eventually(() => all().size === pair.written, {
    what: 'the rest after a takeover',
    everyMs: 100,
    timeoutMs: 60_000,
  });
  const before = pair.receiver.lines().length;
  await pair.receiver.stop();
  await pair.receiver.start();
  await pair.write(100);
  await eventually(() => all().size === pair.written, { what: 'the last', everyMs: 100 });
  // It began where it had left off.
  expect(pair.receiver.lines().length - before).toBe(100);
});

test('a replayer of your own gets the entries, and the sender waits for it', async () => {
  const tunnel = await socketTunnel('rpc');
  const receiver = await runReceiver({
    conf: { ...tunnel.receiver, 'replayer.module': './mine.mjs', 'replayer.argument': 'hello' },
    files: {
      'mine.mjs': `
        export const open = ({ argument }) => console.log('opened with', argument);
        export const apply = (entries) => {
          for (const { op, ns, document } of entries) console.log('mine', op, ns, document.name);
        };
        export const close = () => console.log('closed');`,
    },
  });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  await receiver.waitForLog(/opened with hello/);
  const database = uniqueName('mine');
  const collector = await runCollector({
    conf: {
      mongo_urls: mongo.url,
      'filter.namespace.white': database,
      'checkpoint.storage.collection': uniqueName('ckpt'),
      ...tunnel.collector,
    },
  });
  onTestFinished(() => collector[Symbol.asyncDispose]());
  await client.db(database).collection('c').insertOne({ name: 'x1' });
  await receiver.waitForLog(/mine i .*\.c x1/);
  expect(await receiver.stop()).toMatchObject({ code: 0 });
  expect(receiver.log).toContain('closed');
});

test('the example of a replayer works as it is', async () => {
  const receiver = await runReceiver({
    conf: {
      tunnel: 'mock',
      'replayer.module': resolve('examples/upsert-replayer.mjs'),
      'replayer.argument': 'state.json',
    },
  });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  const path = join(receiver.folder, 'state.json');
  await eventually(() => existsSync(path), { what: 'the state that the example writes' });
  await receiver.stop();
  expect(receiver.log).toContain('the newest state of every document goes to state.json');
  const documents: Record<string, unknown> = JSON.parse(readFileSync(path, 'utf8'));
  expect(Object.keys(documents)[0]).toMatch(/^mongoshake_mock\.table_0 [0-9a-f]{24}$/);
});

test.each([
  ['no such file', './none.mjs', {}, /cannot be loaded.*check replayer\.module/],
  ['no replayer', './mine.mjs', { 'mine.mjs': 'export const open = 1;' }, /has no method apply/],
])('a module that is %s is refused in words', async (_, module, files, expected) => {
  const receiver = await runReceiver({
    conf: { tunnel: 'mock', 'replayer.module': module },
    files,
    waitUntilReady: false,
  });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  expect(await receiver.ended).toMatchObject({ code: 250 });
  expect(receiver.log).toMatch(expected);
});
