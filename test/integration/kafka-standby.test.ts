import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/shared/logger.ts';
import { KafkaStandby } from '../../src/tunnel/kafka/kafka-standby.ts';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import { eventually } from '../../testbed/eventually.ts';
import { readTopic } from '../../testbed/read-topic.ts';
import { newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import { startKafkaBehindProxy, type KafkaBehindProxy } from '../support/kafka-behind-proxy.ts';
import { newTopicName } from '../support/kafka-tunnel-under-test.ts';
import { makeHeader, readEntry } from '../support/oplog-entry.ts';

const never = new AbortController().signal;
const checkpointTopic = 'oplogue-checkpoint';
/** To the leader, to the coordinator, and two to where the checkpoint lies. */
const SPARES = 4;

const all = Array.from({ length: 40 }, (_, i) => i);

let stage: KafkaBehindProxy;
beforeAll(async () => {
  stage = await startKafkaBehindProxy('4');
});
afterAll(() => stage[Symbol.asyncDispose]());

/** Gives entries [from, to) and waits until they are committed. */
async function give(tunnel: KafkaTunnel, from: number, to: number): Promise<void> {
  for (let number = from; number < to; number++) {
    await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
  }
  const durable = new Promise<void>((resolve) => {
    tunnel.lane(0).flush(resolve);
  });
  tunnel.frontiers?.mark({ resumeAfter: BigInt(to), deliveredThrough: BigInt(to) }, { now: true });
  await durable;
}

/** A job that a master has worked for, which has ended, and a standby that has everything at hand. */
async function newJob() {
  const topic = newTopicName();
  const job = topic;
  const { proxy, kafka } = stage;
  const open = async (readied?: ReturnType<KafkaStandby['take']>): Promise<KafkaTunnel> => {
    const tunnel = newExactlyOnceTunnel(proxy.address, { topic, job, readied });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await tunnel.open(never);
    return tunnel;
  };
  const former = await open();
  await give(former, 0, 20);
  await former[Symbol.asyncDispose]();
  const [host, port] = proxy.address.split(':');
  const standby = new KafkaStandby({
    brokers: [{ host, port: Number(port) }],
    clientId: 'oplogue-test',
    sasl: undefined,
    tls: undefined,
    logger: silentLogger,
    topic,
    compression: 'zstd',
    exactlyOnce: { id: job, source: 'rs0', checkpointTopic, transactionIntervalMs: 20 },
  });
  onTestFinished(() => standby[Symbol.asyncDispose]());
  const elected = new AbortController();
  const ending = standby.keepReady(elected.signal);
  await eventually(() => proxy.connections > SPARES, { what: 'the connections of the standby' });
  const take = async () => {
    elected.abort();
    await ending;
    return standby.take();
  };
  /** Once the broker has written the markers of what it has committed. */
  const numbers = (): Promise<number[]> =>
    eventually(
      async () => {
        const records = await readTopic({ brokers: kafka.brokers, topic });
        const read = records.map(({ value }) => readEntry(value ?? Buffer.alloc(0)).number);
        return read.length >= all.length ? read : undefined;
      },
      { what: 'all entries' },
    );
  return { topic, open, standby, take, numbers };
}

test('a takeover goes over the connections that the standby has kept, with what it has learnt', async () => {
  const { topic, open, standby, take, numbers } = await newJob();
  const readied = await take();
  expect([...readied.known.topics.keys()]).toEqual([topic, checkpointTopic]);
  expect(readied.known.coordinators.size).toBe(1);
  const before = stage.proxy.connections;
  const next = await open(readied);
  expect(stage.proxy.connections).toBeLessThanOrEqual(before);
  expect(next.frontiers?.committed?.deliveredThrough).toBe(20n);
  await give(next, 20, 40);
  standby.rest();
  expect(await numbers()).toEqual(all);
});

test('what is known is given once: a second attempt asks anew', async () => {
  const { standby, take } = await newJob();
  expect((await take()).known.topics.size).toBe(2);
  expect(standby.take().known.topics.size).toBe(0);
});

test('a broker that was restarted a moment ago is no trouble', async () => {
  const { open, take, numbers } = await newJob();
  const readied = await take();
  await stage.kafka.kill();
  await stage.kafka.start();
  const next = await open(readied);
  await give(next, 20, 40);
  expect(await numbers()).toEqual(all);
});

test('connections that a firewall has forgotten a moment ago cost patience, and nothing else', async () => {
  const { open, take, numbers } = await newJob();
  const readied = await take();
  stage.proxy.strand();
  const next = await open(readied);
  await give(next, 20, 40);
  expect(await numbers()).toEqual(all);
});
