import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import type { EntryHeader } from '../../src/oplog/entry-header.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import { readTopic, type TopicRecord } from '../../testbed/read-topic.ts';
import { connectKafka, startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { CollectorJob } from '../support/collector-job.ts';
import { marking, newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import {
  makeKafkaTunnel,
  newKafkaTunnel,
  newTopicName,
  type TunnelSettings,
} from '../support/kafka-tunnel-under-test.ts';
import { makeHeader } from '../support/oplog-entry.ts';
import { itConforms } from '../support/tunnel-conformance.ts';

const never = new AbortController().signal;
/** Everything goes through threads, however little it is. */
const threaded = { encoderThreads: 2, threadBytesMin: 0 };
const can = { received: true, stall: (process.env['KAFKA_BROKERS'] ?? '') === '', breakForGood: true };

describe('a tunnel that encodes in threads', () => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka({ version: '4' });
  });
  afterAll(() => kafka[Symbol.asyncDispose]());

  describe('at least once', () => {
    itConforms(
      makeKafkaTunnel(
        () => kafka,
        'bson',
        (brokers, settings) => newKafkaTunnel(brokers, { ...settings, ...threaded }),
      ),
      can,
    );
  });

  describe('exactly once', () => {
    itConforms(
      makeKafkaTunnel(
        () => kafka,
        'bson',
        (brokers, settings) => marking(newExactlyOnceTunnel(brokers, { ...settings, ...threaded })),
      ),
      can,
    );
  });
});

const brokers = inject('kafka4');

/** What a topic holds after the entries have been sent; the topic is gone afterwards. */
async function carried(
  settings: Partial<TunnelSettings>,
  headers: readonly EntryHeader[],
): Promise<TopicRecord[]> {
  const topic = newTopicName();
  const tunnel = newKafkaTunnel(brokers, { topic, ...settings });
  try {
    await tunnel.open(never);
    await send(tunnel, headers);
    return await readTopic({ brokers, topic });
  } finally {
    await tunnel[Symbol.asyncDispose]();
    await connectKafka(brokers).deleteTopic(topic);
  }
}

async function send(tunnel: KafkaTunnel, headers: readonly EntryHeader[]): Promise<void> {
  for (const header of headers) await tunnel.lane(header.increment % 3).append(header);
  for (let lane = 0; lane < 3; lane++) tunnel.lane(lane).flush(() => {});
  await tunnel.drain(never);
}

/** Small entries and large ones, so that batches end at every place. */
function entries(count: number): EntryHeader[] {
  return Array.from({ length: count }, (_, number) => {
    const header = makeHeader({ lane: 0, number, padBytes: number % 97 === 5 ? 90_000 : number % 700 });
    header.operationIndex = number % 5;
    header.committedIncrement = header.increment + (number % 5);
    return header;
  });
}

/** What a consumer sees of a record but its time. */
function seen({ value, key, headers, partition }: TopicRecord): unknown {
  return { value: value?.toString('hex'), key: key?.toString('hex'), headers, partition };
}

test.each([
  ['json', 'none'],
  ['json', 'gzip'],
  ['json', 'snappy'],
  ['bson', 'lz4'],
] as const)('threads make the same records as the main thread: %s, %s', async (message, compression) => {
  const settings = {
    message,
    compression,
    headers: true,
    partitioner: 'key',
    topicCreation: { enabled: true, partitions: 3, replicationFactor: undefined },
  } as const;
  const headers = entries(3000);
  const expected = await carried(settings, headers);
  const budget = new MemoryBudget(64 * 1024 * 1024);
  const records = await carried({ ...settings, ...threaded, budget }, headers);
  expect(records).toHaveLength(3000);
  expect(records.map(seen)).toEqual(expected.map(seen));
  expect(budget.usedBytes).toBe(0);
});

test('batches that come out of a thread longer than the broker takes are divided, in order (I2)', async () => {
  // The first guess of how much longer JSON is than its entry is far too low for these: control characters take six bytes each.
  const headers = Array.from({ length: 600 }, (_, number) =>
    makeHeader({ lane: 0, number, padBytes: 3000, pad: '\u0001' }),
  );
  const maxMessageBytes = 200_000;
  const records = await carried({ message: 'json', maxMessageBytes, ...threaded }, headers);
  expect(records.map(({ value }) => JSON.parse(String(value)).o[1].Value)).toEqual(headers.map((_, i) => i));
});

test('one entry that is too long stops the tunnel and is named', async () => {
  const topic = newTopicName();
  const tunnel = newKafkaTunnel(brokers, { topic, maxMessageBytes: 50_000, ...threaded });
  onTestFinished(async () => {
    await tunnel[Symbol.asyncDispose]();
    await connectKafka(brokers).deleteTopic(topic);
  });
  await tunnel.open(never);
  const headers = [0, 1].map((number) => makeHeader({ lane: 0, number, padBytes: number * 60_000 }));
  await expect(send(tunnel, headers)).rejects.toMatchObject({ code: 'KAFKA_RECORD_TOO_LARGE' });
});

test('I1, I2: a thread that crashes costs a new beginning after the checkpoint, and nothing is lost', async () => {
  const job = await CollectorJob.start({
    mongoUrl: inject('mongoUrl'),
    brokers,
    startsCollector: false,
    conf: { 'lanes.threads': 2 },
  });
  onTestFinished(async () => {
    await job.db.dropDatabase();
    await job[Symbol.asyncDispose]();
  });
  const documents = Array.from({ length: 8000 }, (_, number) => ({ number, text: 'x'.repeat(200) }));
  await job.db.collection('c').insertMany(documents);
  const collector = await job.run([], true, { OPLOGUE_FAILPOINT: 'in-encoder-thread:error@3' });
  await job.settle();
  expect(collector.log).toContain('A thread that encodes messages has ended by itself');
  const sent = (await job.values()).map((value) => value.toString('hex'));
  const firsts = [...new Set(sent)];
  const written = (await job.oplog()).map((entry) => entry.toString('hex'));
  expect(firsts).toEqual(written);
});
