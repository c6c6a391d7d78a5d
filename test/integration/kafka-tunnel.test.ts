import { Admin } from '@platformatic/kafka';
import { deserialize, serialize, Timestamp } from 'bson';
import { afterEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { EntryHeader } from '../../src/oplog/entry-header.ts';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import { eventually } from '../../testbed/eventually.ts';
import { freePort } from '../../testbed/free-port.ts';
import { readTopic, type TopicRecord } from '../../testbed/read-topic.ts';
import { connectKafka } from '../../testbed/start-kafka.ts';
import { newKafkaTunnel, newTopicName, type TunnelSettings } from '../support/kafka-tunnel-under-test.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { headerOf, makeHeader, readEntry } from '../support/oplog-entry.ts';
import { runKafkaTool } from '../support/run-kafka-tool.ts';

const never = new AbortController().signal;
const nowSeconds = Math.floor(Date.now() / 1000);

/** Appends entries 0 .. count-1 to lane 0 and waits until all are durable. */
async function send(tunnel: KafkaTunnel, headers: readonly EntryHeader[], lane = 0): Promise<void> {
  for (const header of headers) await tunnel.lane(lane).append(header);
  tunnel.lane(lane).flush(() => {});
  await tunnel.drain(never);
}

function numbered(count: number, padBytes: (i: number) => number = () => 40): EntryHeader[] {
  return Array.from({ length: count }, (_, number) =>
    makeHeader({ lane: 0, number, padBytes: padBytes(number) }),
  );
}

/** Resolves with the reason when the tunnel fails. */
function failureOf(tunnel: KafkaTunnel): Promise<unknown> {
  return new Promise((resolve) => {
    tunnel.failed.addEventListener('abort', () => resolve(tunnel.failed.reason), { once: true });
  });
}

describe.each(['kafka39', 'kafka4'] as const)('a tunnel to %s', (version) => {
  const brokers = inject(version);
  const kafka = connectKafka(brokers);
  const used = new Set<string>();

  afterEach(async () => {
    const existing = await kafka.listTopics();
    for (const topic of used) if (existing.includes(topic)) await kafka.deleteTopic(topic);
    used.clear();
  });

  function newTopic(): string {
    const topic = newTopicName();
    used.add(topic);
    return topic;
  }

  async function opened(settings: TunnelSettings): Promise<KafkaTunnel> {
    const tunnel = newKafkaTunnel(brokers, settings);
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await tunnel.open(never);
    return tunnel;
  }

  async function alterTopic(topic: string, name: string, value: string): Promise<void> {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers.split(',') });
    try {
      await admin.incrementalAlterConfigs({
        resources: [{ resourceType: 2, resourceName: topic, configs: [{ name, configOperation: 0, value }] }],
      });
    } finally {
      await admin.close();
    }
  }

  test('brings every byte of small and large entries, each with the time of its change', async () => {
    const topic = newTopic();
    const tunnel = await opened({ topic });
    const headers = numbered(3000, (i) => (i % 500 === 7 ? 300_000 : i % 900));
    await send(tunnel, headers);
    const records = await readTopic({ brokers, topic });
    expect(records.map(({ value }) => value?.toString('hex'))).toEqual(
      headers.map(({ bytes }) => bytes.toString('hex')),
    );
    // Not the entries' time: brokers delete what is old.
    expect(records.every(({ timestampMs }) => timestampMs >= nowSeconds * 1000)).toBe(true);
    expect(records.every(({ key }) => key === null)).toBe(true);
    expect(tunnel.stats).toMatchObject({ records: 3000, inFlight: 0, retries: 0 });
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'packs with %s as Java consumers read it, in order',
    async (compression) => {
      const topic = newTopic();
      const tunnel = await opened({ topic, compression, batchBytes: 32 * 1024, message: 'json' });
      const headers = numbered(2000, (i) => i % 700);
      for (const [i, header] of headers.entries()) {
        await tunnel.lane(0).append(header);
        if (i % 300 === 0) tunnel.lane(0).flush(() => {});
      }
      tunnel.lane(0).flush(() => {});
      await tunnel.drain(never);
      const out = await runKafkaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
        ...['--bootstrap-server', brokers, '--topic', topic],
        ...['--from-beginning', '--max-messages', '2000', '--timeout-ms', '20000'],
      ]);
      const numbers = [...out.matchAll(/"Key":"n","Value":(\d+)/g)].map((match) => Number(match[1]));
      expect(numbers).toEqual(Array.from({ length: 2000 }, (_, i) => i));
      expect(tunnel.stats.bytes).toBeLessThan(out.length / 3);
    },
  );

  test('gives each lane its partition, modulo tunnel.kafka.partition_number', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, partitions: 4 });
    const tunnel = await opened({ topic, lanes: 5, partitionNumber: 2 });
    for (let lane = 0; lane < 5; lane++) await send(tunnel, [makeHeader({ lane, number: 1 })], lane);
    const records = await readTopic({ brokers, topic });
    const places = records.map(({ partition, value }) => [
      readEntry(value ?? Buffer.alloc(0)).lane,
      partition,
    ]);
    expect(places.toSorted(([a], [b]) => a - b)).toEqual([
      [0, 0],
      [1, 1],
      [2, 0],
      [3, 1],
      [4, 0],
    ]);
  });

  test('puts a document where the Java producer puts its key, and a DDL into the partition of lane 0', async () => {
    const topic = newTopic();
    const javaTopic = newTopic();
    await kafka.createTopic({ topic, partitions: 7 });
    await kafka.createTopic({ topic: javaTopic, partitions: 7 });
    const tunnel = await opened({ topic, partitioner: 'key' });
    const ids = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? `customer-${i}-ü` : i * 1000));
    const entries = ids.map((_id, i) => insertOf(_id, i));
    await send(tunnel, entries);
    await send(tunnel, [commandEntry()]);
    const ours = await readTopic({ brokers, topic });
    const keyed = ours.filter(({ key }) => key !== null);
    const lines = keyed.map(({ key }) => `${String(key)}\tx\n`).join('');
    await runKafkaTool(
      'kafka.tools.ConsoleProducer',
      [
        ...['--bootstrap-server', brokers, '--topic', javaTopic],
        ...['--property', 'parse.key=true', '--property', 'key.separator=\t'],
      ],
      lines,
    );
    const java = await readTopic({ brokers, topic: javaTopic });
    expect(keyed).toHaveLength(60);
    expect(placesOf(keyed)).toEqual(placesOf(java));
    expect(new Set(keyed.map(({ partition }) => partition)).size).toBe(7);
    expect(keyed.map(({ key }) => String(key))).toContain('{"_id":{"$numberInt":"1000"}}');
    expect(keyed.map(({ key }) => String(key))).toContain('{"_id":"customer-0-ü"}');
    expect(ours.filter(({ key }) => key === null).map(({ partition }) => partition)).toEqual([0]);
  });

  test('gives the receipts of a lane in order though its documents go to many partitions', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, partitions: 7 });
    const tunnel = await opened({ topic, partitioner: 'key' });
    const receipts: number[] = [];
    for (let i = 0; i < 500; i++) {
      await tunnel.lane(i % 3).append(insertOf(i, i));
      if (i % 3 === 0) tunnel.lane(0).flush(() => receipts.push(i));
    }
    for (let lane = 0; lane < 3; lane++) tunnel.lane(lane).flush(() => {});
    await tunnel.drain(never);
    expect(receipts).toEqual(Array.from({ length: 167 }, (_, i) => i * 3));
    expect(await readTopic({ brokers, topic })).toHaveLength(500);
    expect([0, 1, 2].map((lane) => tunnel.lane(lane).pendingBytes)).toEqual([0, 0, 0]);
  });

  test('makes one complete raw message of a flush, with its shard and the tag "persistent"', async () => {
    const topic = newTopic();
    const tunnel = await opened({ topic, message: 'raw', compressor: 'zlib' });
    const headers = numbered(50);
    await send(tunnel, headers, 2);
    await send(tunnel, headers.slice(0, 3), 2);
    const records = await readTopic({ brokers, topic });
    const messages = records.map(({ value }) => decodeRawMessage(value ?? Buffer.alloc(0)));
    expect(messages.map(({ tag, shard, declaredLogs }) => [tag, shard, declaredLogs])).toEqual([
      [0x1000, 2, 50],
      [0x1000, 2, 3],
    ]);
    expect(messages[0].logs.map((log) => readEntry(log).number)).toEqual(headers.map((_, i) => i));
  });

  test('splits a raw message that does not fit into a record', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, config: { 'max.message.bytes': '20000' } });
    const tunnel = await opened({ topic, message: 'raw' });
    await send(
      tunnel,
      numbered(300, (i) => (i % 10 === 0 ? 15_000 : 900)),
    );
    const records = await readTopic({ brokers, topic });
    const logs = records.flatMap(({ value }) => [...decodeRawMessage(value ?? Buffer.alloc(0)).logs]);
    expect(logs.map((log) => readEntry(log).number)).toEqual(Array.from({ length: 300 }, (_, i) => i));
    expect(records.length).toBeGreaterThan(30);
  });

  test('stops with namespace, ts, size and the key to change when one entry is larger than the topic takes', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, config: { 'max.message.bytes': '10000' } });
    const tunnel = await opened({ topic });
    const failure = failureOf(tunnel);
    let receipts = 0;
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1, padBytes: 9000 }));
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 77, padBytes: 11_000 }));
    tunnel.lane(0).flush(() => receipts++);
    const error = await failure;
    expect(error).toMatchObject({
      code: 'KAFKA_RECORD_TOO_LARGE',
      message: expect.stringMatching(
        /shop\.orders at ts 1582277156:77 makes a batch of 11\d{3} bytes, the limit is 10000/,
      ),
      hint: expect.stringContaining('max.message.bytes'),
    });
    expect(receipts).toBe(0);
    await expect(tunnel.drain(never)).rejects.toBe(error);
  });

  test('names tunnel.kafka.producer.maxmessagebytes when that is the limit', async () => {
    const tunnel = await opened({ topic: newTopic(), maxMessageBytes: 5000 });
    const failure = failureOf(tunnel);
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1, padBytes: 6000 }));
    expect(await failure).toMatchObject({
      hint: expect.stringContaining('tunnel.kafka.producer.maxmessagebytes (now 5000)'),
    });
  });

  test('takes an entry that only fits when it is packed', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, config: { 'max.message.bytes': '10000' } });
    const tunnel = await opened({ topic, compression: 'gzip' });
    await send(
      tunnel,
      numbered(5, (i) => i * 20_000),
    );
    const records = await readTopic({ brokers, topic });
    expect(records.map(({ value }) => readEntry(value ?? Buffer.alloc(0)).number)).toEqual([0, 1, 2, 3, 4]);
  });

  test.each(['none', 'lz4'] as const)(
    'makes smaller batches (%s) when the topic takes less than it did, and loses nothing (I3)',
    async (compression) => {
      const topic = newTopic();
      const tunnel = await opened({ topic, compression });
      await send(tunnel, numbered(1));
      await alterTopic(topic, 'max.message.bytes', '3000');
      await send(tunnel, numbered(2000, randomPad).slice(1));
      const records = await readTopic({ brokers, topic });
      const numbers = records.map(({ value }) => readEntry(value ?? Buffer.alloc(0)).number);
      expect(numbers).toEqual(Array.from({ length: 2000 }, (_, i) => i));
      expect(tunnel.stats.retries).toBeGreaterThan(0);
      expect(tunnel.trouble).toBeUndefined();
    },
  );

  test('says how to create a topic that is not there', async () => {
    const tunnel = newKafkaTunnel(brokers, {
      topic: newTopic(),
      topicCreation: { enabled: false, partitions: 1, replicationFactor: undefined },
    });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await expect(tunnel.open(never)).rejects.toMatchObject({
      code: 'KAFKA_NO_TOPIC',
      hint: expect.stringContaining('tunnel.kafka.topic.create'),
    });
  });

  test('creates a topic with the partitions asked for', async () => {
    const topic = newTopic();
    const topicCreation = { enabled: true, partitions: 5, replicationFactor: 1 };
    await opened({ topic, topicCreation, partitionNumber: 5 });
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers.split(',') });
    const metadata = await admin.metadata({ topics: [topic] });
    await admin.close();
    expect(metadata.topics.get(topic)?.partitionsCount).toBe(5);
  });

  test('names the reason when the cluster cannot create the topic', async () => {
    const tunnel = newKafkaTunnel(brokers, {
      topic: newTopic(),
      topicCreation: { enabled: true, partitions: 1, replicationFactor: 7 },
    });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await expect(tunnel.open(never)).rejects.toMatchObject({
      code: 'KAFKA_TOPIC_NOT_CREATED',
      message: expect.stringContaining('INVALID_REPLICATION_FACTOR'),
    });
  });

  test('refuses a partition number above that of the topic, naming both and the cure', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, partitions: 2 });
    const tunnel = newKafkaTunnel(brokers, { topic, partitionNumber: 3 });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await expect(tunnel.open(never)).rejects.toMatchObject({
      code: 'KAFKA_PARTITIONS',
      message: `tunnel.kafka.partition_number is 3, but topic ${topic} has 2 partition(s)`,
      hint: expect.stringContaining('--partitions 3'),
    });
  });

  test('refuses a compacted topic without keys at once, and writes to it with keys', async () => {
    const topic = newTopic();
    await kafka.createTopic({ topic, config: { 'cleanup.policy': 'compact' } });
    const tunnel = newKafkaTunnel(brokers, { topic });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await expect(tunnel.open(never)).rejects.toMatchObject({ code: 'KAFKA_TOPIC_COMPACTED' });
    const keyed = await opened({ topic, partitioner: 'key' });
    await send(keyed, [insertOf(1, 1)]);
    expect(await readTopic({ brokers, topic })).toHaveLength(1);
  });

  test('fails when its topic was deleted and made again; nothing counts as done (I3)', async () => {
    const topic = newTopic();
    const tunnel = await opened({ topic });
    await send(tunnel, numbered(10));
    await kafka.deleteTopic(topic);
    await kafka.createTopic({ topic });
    const failure = failureOf(tunnel);
    let receipts = 0;
    void tunnel.lane(0).append(makeHeader({ lane: 0, number: 11 }));
    tunnel.lane(0).flush(() => receipts++);
    expect(await failure).toMatchObject({ code: 'KAFKA_TOPIC_DELETED' });
    expect(receipts).toBe(0);
  });

  test('needs only one broker of its list', async () => {
    const dead = `127.0.0.1:${await freePort()},no-such-host.invalid:9092`;
    const tunnel = newKafkaTunnel(`${dead},${brokers}`, { topic: newTopic() });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await tunnel.open(never);
    await send(tunnel, numbered(1));
    expect(tunnel.stats.records).toBe(1);
  });

  test('keeps trying when no broker can be reached, with a warning that names address and reason', async () => {
    const logger = new MemoryLogger();
    const tunnel = newKafkaTunnel('no-such-host.invalid:9092', { topic: newTopic(), logger });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    const stop = new AbortController();
    const opening = tunnel.open(stop.signal);
    await eventually(() => logger.text.includes('no-such-host.invalid:9092: host name'), {
      what: 'the warning',
    });
    expect(tunnel.trouble).toContain('no-such-host.invalid:9092');
    stop.abort();
    await expect(opening).rejects.toBe(stop.signal.reason);
  });

  test('holds no more than its window and gives everything back (I4)', async () => {
    const budget = new MemoryBudget(64 * 1024 * 1024);
    const tunnel = await opened({ topic: newTopic(), budget, windowBytes: 4 * 1024 * 1024 });
    await send(
      tunnel,
      numbered(20_000, () => 600),
    );
    expect(budget.peakBytes).toBeLessThan(5.5 * 1024 * 1024);
    expect(budget.usedBytes).toBe(0);
  });
});

function placesOf(records: readonly TopicRecord[]): string[] {
  return records.map(({ key, partition }) => `${String(key)} ${partition}`).toSorted();
}

function randomPad(i: number): number {
  return (i * 7919) % 1500;
}

function insertOf(_id: string | number, increment: number): EntryHeader {
  const ts = new Timestamp({ t: 1_582_277_156, i: increment });
  return headerOf(Buffer.from(serialize({ ts, op: 'i', ns: 'shop.orders', o: { _id } })));
}

function commandEntry(): EntryHeader {
  const entry = {
    ts: new Timestamp({ t: 1_582_277_156, i: 1 }),
    op: 'c',
    ns: 'shop.$cmd',
    o: { create: 'x' },
  };
  const bytes = Buffer.from(serialize(entry));
  expect(deserialize(bytes)['op']).toBe('c');
  return headerOf(bytes);
}
