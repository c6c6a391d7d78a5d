import { Admin } from '@platformatic/kafka';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { sleep } from '../../src/shared/sleep.ts';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import { eventually } from '../../testbed/eventually.ts';
import { freePort } from '../../testbed/free-port.ts';
import { readTopic } from '../../testbed/read-topic.ts';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import type { TcpProxy } from '../../testbed/start-tcp-proxy.ts';
import { startKafkaBehindProxy, type KafkaBehindProxy } from '../support/kafka-behind-proxy.ts';
import { newKafkaTunnel, newTopicName, type TunnelSettings } from '../support/kafka-tunnel-under-test.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { NumberedLoad } from '../support/numbered-load.ts';

const never = new AbortController().signal;
const topicCreation = { enabled: true, partitions: 2, replicationFactor: undefined };

/** Waits until the load has brought so many more entries to the far side. */
async function progress(load: NumberedLoad, entries = 3000): Promise<void> {
  const goal = load.durableInAll + entries;
  await eventually(() => load.durableInAll >= goal, {
    what: `${entries} more durable entries`,
    timeoutMs: 60_000,
  });
}

async function opened(
  brokers: string,
  settings: Partial<TunnelSettings> = {},
): Promise<[KafkaTunnel, string]> {
  const topic = newTopicName();
  const tunnel = newKafkaTunnel(brokers, { topic, topicCreation, partitionNumber: 2, ...settings });
  onTestFinished(() => tunnel[Symbol.asyncDispose]());
  await tunnel.open(never);
  return [tunnel, topic];
}

describe.each(['3.9', '4'] as const)('faults of a Kafka %s under load', (version) => {
  let stage: KafkaBehindProxy;
  let kafka: TestKafka;
  let proxy: TcpProxy;
  let behindProxy: string;

  beforeAll(async () => {
    stage = await startKafkaBehindProxy(version);
    ({ kafka, proxy } = stage);
    behindProxy = proxy.address;
  });
  afterEach(async () => {
    kafka.thaw();
    await kafka.start();
    proxy.resume();
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test.each(['none', 'gzip'] as const)(
    'nothing is lost, repeated or out of order when the broker is killed again and again (I2, I3), packed: %s',
    async (compression) => {
      const logger = new MemoryLogger();
      const [tunnel, topic] = await opened(kafka.brokers, { logger, compression });
      const load = new NumberedLoad(tunnel);
      for (let round = 0; round < 3; round++) {
        await progress(load);
        await kafka.kill();
        await eventually(() => tunnel.trouble?.includes('connection refused'), {
          what: 'the trouble to be said',
        });
        await kafka.start();
        await progress(load);
      }
      await load.stop();
      load.expectExactly(await readTopic({ brokers: kafka.brokers, topic }));
      expect(tunnel.trouble).toBeUndefined();
      expect(logger.lines.filter((line) => line.startsWith('warn'))).toHaveLength(3);
      expect(logger.lines.filter((line) => line.includes('takes messages again'))).toHaveLength(3);
    },
  );

  test('waits for a broker that is frozen for longer than any timeout, within its window (I3, I4)', async () => {
    const budget = new MemoryBudget(64 * 1024 * 1024);
    const [tunnel, topic] = await opened(kafka.brokers, { budget });
    const load = new NumberedLoad(tunnel);
    await progress(load);
    kafka.freeze();
    try {
      await eventually(() => tunnel.trouble !== undefined, { what: 'trouble to be seen', timeoutMs: 40_000 });
      const { durableInAll } = load;
      await sleep(3000);
      expect(load.durableInAll).toBe(durableInAll);
      expect(budget.usedBytes).toBeLessThan(18 * 1024 * 1024);
    } finally {
      kafka.thaw();
    }
    await progress(load);
    await load.stop();
    load.expectExactly(await readTopic({ brokers: kafka.brokers, topic }));
    expect(budget.usedBytes).toBe(0);
  }, 120_000);

  test('goes on where it was when connections are cut at any moment (I2, I3)', async () => {
    const [tunnel, topic] = await opened(behindProxy);
    const load = new NumberedLoad(tunnel);
    for (let round = 0; round < 15; round++) {
      await progress(load, 500);
      await sleep(Math.random() * 30);
      proxy.cut();
      await sleep(Math.random() * 60);
      proxy.resume();
    }
    await load.stop();
    load.expectExactly(await readTopic({ brokers: kafka.brokers, topic }));
    expect(tunnel.stats.retries).toBeGreaterThan(0);
  });

  test('gives up a connection that says nothing any more, and loses nothing (I3)', async () => {
    const [tunnel, topic] = await opened(behindProxy, { requestTimeoutMs: 1500 });
    const load = new NumberedLoad(tunnel);
    for (let round = 0; round < 2; round++) {
      await progress(load);
      proxy.stall();
      await eventually(() => tunnel.trouble?.includes('no answer'), { what: 'the silence to be noticed' });
      proxy.cut();
      proxy.resume();
    }
    await progress(load);
    await load.stop();
    load.expectExactly(await readTopic({ brokers: kafka.brokers, topic }));
  });

  test('connections that a firewall has forgotten are replaced, long before requests time out (I2, I3)', async () => {
    const [tunnel, topic] = await opened(behindProxy, { requestTimeoutMs: 600_000 });
    const load = new NumberedLoad(tunnel);
    await progress(load);
    proxy.strand();
    await eventually(() => tunnel.trouble?.includes('but on a new connection'), {
      what: 'the silence to be noticed',
      timeoutMs: 30_000,
    });
    await progress(load);
    await load.stop();
    load.expectExactly(await readTopic({ brokers: kafka.brokers, topic }));
  });

  test('a tunnel that may not write any more ends its connections at once (I5)', async () => {
    const lost = new AbortController();
    const [tunnel] = await opened(behindProxy, {
      lost: lost.signal,
      mayWrite: () => !lost.signal.aborted,
    });
    const load = new NumberedLoad(tunnel);
    await progress(load);
    lost.abort();
    await eventually(() => proxy.connections === 0, { what: 'the connections to end' });
    const { durableInAll } = load;
    await sleep(1000);
    expect(load.durableInAll).toBe(durableInAll);
    expect(proxy.connections).toBe(0);
    await tunnel[Symbol.asyncDispose]();
    await load.stop().catch(() => undefined);
  });

  test('a broker that is away at the start is waited for', async () => {
    const logger = new MemoryLogger();
    await kafka.stop();
    const topic = newTopicName();
    const tunnel = newKafkaTunnel(kafka.brokers, { topic, logger });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    const opening = tunnel.open(never);
    await eventually(() => logger.text.includes('connection refused'), { what: 'the warning' });
    await kafka.start();
    await opening;
    expect(logger.text).toContain('Kafka can be reached now');
    expect(tunnel.trouble).toBeUndefined();
  });

  test('the connection is made again without trouble after the broker has closed it as idle', async () => {
    const logger = new MemoryLogger();
    const [tunnel] = await opened(behindProxy, { logger });
    const load = new NumberedLoad(tunnel);
    await progress(load, 100);
    await load.stop();
    proxy.cut();
    proxy.resume();
    await eventually(() => proxy.connections === 0, { what: 'the connection to be gone' });
    const again = new NumberedLoad(tunnel);
    await progress(again, 100);
    await again.stop();
    expect(logger.lines.filter((line) => line.startsWith('warn'))).toEqual([]);
  });
});

test('order holds while the leadership of partitions moves between two brokers, also by kill -9 (I2, I3)', async () => {
  const controllerPort = await freePort();
  const [port1, port2] = [await freePort(), await freePort()];
  const shared = {
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    'broker.session.timeout.ms': '3000',
    'broker.heartbeat.interval.ms': '500',
    'offsets.topic.replication.factor': '1',
  };
  const first = await startKafka({
    port: port1,
    config: {
      ...shared,
      listeners: `PLAINTEXT://127.0.0.1:${port1},CONTROLLER://127.0.0.1:${controllerPort}`,
    },
  });
  onTestFinished(() => first[Symbol.asyncDispose]());
  const second = await startKafka({
    port: port2,
    config: {
      ...shared,
      'process.roles': 'broker',
      'node.id': '2',
      listeners: `PLAINTEXT://127.0.0.1:${port2}`,
    },
  });
  onTestFinished(() => second[Symbol.asyncDispose]());
  await eventually(async () => (await nodesOf(first.brokers)) === 2, { what: 'both brokers' });
  const [tunnel, topic] = await opened(`${first.brokers},${second.brokers}`, {
    topicCreation: { enabled: true, partitions: 2, replicationFactor: 2 },
  });
  const load = new NumberedLoad(tunnel);
  for (let round = 0; round < 2; round++) {
    await progress(load);
    // Both partitions go to broker 1, then, once broker 2 is back and in sync, half of them may go back.
    await second.kill();
    await progress(load);
    await second.start();
    await progress(load, 10_000);
  }
  await second.stop();
  await progress(load);
  await load.stop();
  load.expectExactly(await readTopic({ brokers: first.brokers, topic }));
}, 180_000);

async function nodesOf(brokers: string): Promise<number> {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: brokers.split(',') });
  try {
    return (await admin.metadata({ topics: [], forceUpdate: true })).brokers.size;
  } finally {
    await admin.close();
  }
}
