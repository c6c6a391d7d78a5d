import { Producer, type MessageToProduce } from '@platformatic/kafka';
import { MongoClient } from 'mongodb';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { sleep } from '../../src/shared/sleep.ts';
import { readTopic, visitTopic } from '../../testbed/read-topic.ts';
import { startMongo } from '../../testbed/start-mongo.ts';
import { startTcpProxy } from '../../testbed/start-tcp-proxy.ts';
import { connectKafka, startKafka } from '../../testbed/start-kafka.ts';

async function produce(brokers: string, messages: MessageToProduce[], transaction?: 'commit' | 'abort') {
  const producer = new Producer({
    clientId: 'testbed-test',
    bootstrapBrokers: brokers.split(','),
    retryDelay: 20,
    retries: 50,
    ...(transaction === undefined
      ? {}
      : { idempotent: true, transactionalId: 'testbed-test', producerId: -1n, producerEpoch: -1 }),
  });
  try {
    if (transaction === undefined) {
      await producer.send({ messages, acks: -1 });
      return;
    }
    const open = await producer.beginTransaction();
    await open.send({ messages, acks: -1 });
    await open[transaction]();
  } finally {
    await producer.close();
  }
}

function message(topic: string, value: string, partition = 0): MessageToProduce {
  return { topic, partition, key: Buffer.from('k'), value: Buffer.from(value) };
}

describe.each(['kafka39', 'kafka4'] as const)('the shared %s', (name) => {
  const brokers = inject(name);
  const topic = `testbed-${name}`;

  afterAll(async () => {
    const kafka = connectKafka(brokers);
    await kafka.deleteTopic(topic);
  });

  test('takes records and gives them back with keys, values, headers and offsets by partition', async () => {
    const kafka = connectKafka(brokers);
    await kafka.createTopic({ topic, partitions: 2 });
    await produce(brokers, [
      { ...message(topic, 'a'), headers: new Map([[Buffer.from('h'), Buffer.from('v')]]) },
      message(topic, 'b', 1),
      message(topic, 'c', 1),
    ]);
    const records = await readTopic({ brokers, topic });
    expect(records.map((r) => [r.partition, r.offset, String(r.key), String(r.value)])).toEqual([
      [0, 0n, 'k', 'a'],
      [1, 0n, 'k', 'b'],
      [1, 1n, 'k', 'c'],
    ]);
    expect(String(records[0]?.headers.get('h'))).toBe('v');
    expect(Math.abs((records[0]?.timestampMs ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  test('hides what an aborted transaction wrote, and shows what a committed one wrote', async () => {
    const seen = async (isolation: 'read_committed' | 'read_uncommitted'): Promise<string[]> =>
      (await readTopic({ brokers, topic, isolation, from: new Map([[1, 2n]]) }))
        .filter((r) => r.partition === 1)
        .map((r) => String(r.value));
    await produce(brokers, [message(topic, 'aborted', 1)], 'abort');
    await produce(brokers, [message(topic, 'committed', 1)], 'commit');
    expect(await seen('read_committed')).toEqual(['committed']);
    expect(await seen('read_uncommitted')).toEqual(['aborted', 'committed']);
  });

  test('counts the records from a given offset on without keeping them', async () => {
    let count = 0;
    const ends = await visitTopic({
      brokers,
      topic,
      from: new Map([
        [0, 1n],
        [1, 1n],
      ]),
      visit: () => {
        count += 1;
      },
    });
    expect(count).toBe(2);
    expect(ends.get(0)).toBe(1n);
  });
});

test('a reader that follows a topic while it is written sees every record once', async () => {
  const brokers = inject('kafka4');
  const kafka = connectKafka(brokers);
  const topic = 'testbed-followed';
  await kafka.createTopic({ topic });
  let writing = true;
  const written = (async () => {
    const all: string[] = [];
    for (let i = 0; i < 40; i++) {
      const values = Array.from({ length: 50 }, (_, j) => `${i}-${j}`);
      await produce(
        brokers,
        values.map((value) => message(topic, value)),
      );
      all.push(...values);
    }
    writing = false;
    return all;
  })();
  const seen: string[] = [];
  let from = new Map<number, bigint>();
  for (let last = false; !last;) {
    last = !writing;
    from = await visitTopic({ brokers, topic, from, visit: (record) => seen.push(String(record.value)) });
  }
  expect(seen).toEqual(await written);
  await kafka.deleteTopic(topic);
});

test('the shared replica set takes writes and shows them in its oplog', async () => {
  await using client = await new MongoClient(inject('mongoUrl')).connect();
  const db = client.db('testbed_smoke');
  await db.collection<{ _id: number }>('things').insertOne({ _id: 1 });
  const entry = await client
    .db('local')
    .collection('oplog.rs')
    .findOne({ ns: 'testbed_smoke.things', op: 'i' });
  expect(entry?.['o']).toEqual({ _id: 1 });
  await db.dropDatabase();
});

test('a replica set of three elects another primary when its primary is killed, and steps down when asked', async () => {
  await using mongo = await startMongo({ members: 3 });
  const first = await mongo.primary();
  await first.kill();
  const second = await mongo.primary();
  expect(second.port).not.toBe(first.port);
  await first.start();
  await mongo.stepDown(2);
  expect((await mongo.primary()).pid).toBeGreaterThan(0);
});

test('a Kafka of its own keeps its records over a kill and can be frozen', async () => {
  await using kafka = await startKafka({ version: '4' });
  await kafka.createTopic({ topic: 't' });
  await produce(kafka.brokers, [message('t', 'kept')]);
  await kafka.kill();
  await kafka.start();
  kafka.freeze();
  const read = readTopic({ brokers: kafka.brokers, topic: 't' });
  const first = await Promise.race([read.then(() => 'read'), sleep(300).then(() => 'nothing yet')]);
  expect(first).toBe('nothing yet');
  kafka.thaw();
  expect((await read).map((r) => String(r.value))).toEqual(['kept']);
});

test('the proxy passes bytes on, holds them back, and cuts', async () => {
  const port = new URL(inject('mongoUrl')).port;
  await using proxy = await startTcpProxy(`127.0.0.1:${port}`);
  const url = `mongodb://${proxy.address}/?directConnection=true&serverSelectionTimeoutMS=500`;
  await using client = await new MongoClient(url).connect();
  expect((await client.db('admin').command({ ping: 1 }))['ok']).toBe(1);
  proxy.stall();
  const pinged = client.db('admin').command({ ping: 1 });
  expect(await Promise.race([pinged, sleep(300).then(() => 'stalled')])).toBe('stalled');
  proxy.resume();
  expect((await pinged)['ok']).toBe(1);
  proxy.cut();
  await expect(client.db('admin').command({ ping: 1 })).rejects.toThrow(/ECONNRESET|closed|127\.0\.0\.1/);
});
