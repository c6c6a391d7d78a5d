import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sleep } from '../../src/shared/sleep.ts';
import { eventually } from '../../testbed/eventually.ts';
import { readTopic } from '../../testbed/read-topic.ts';
import type { TestKafka } from '../../testbed/start-kafka.ts';
import { marking, newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import { startKafkaBehindProxy, type KafkaBehindProxy } from '../support/kafka-behind-proxy.ts';
import { newTopicName } from '../support/kafka-tunnel-under-test.ts';
import { NumberedLoad } from '../support/numbered-load.ts';

const never = new AbortController().signal;
/** A broker starts three times, beside other tests on a machine with two cores. */
const BROKER_STARTS_MS = 240_000;

describe.each(['3.9', '4'] as const)('exactly once while a broker of Kafka %s fails', (version) => {
  let stage: KafkaBehindProxy;
  let kafka: TestKafka;
  beforeAll(async () => {
    stage = await startKafkaBehindProxy(version);
    ({ kafka } = stage);
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  test.each(['killed', 'stopped', 'frozen'] as const)(
    '%s in the middle of transactions: all once (I8)',
    { timeout: BROKER_STARTS_MS },
    async (how) => {
      const topic = newTopicName();
      const { brokers } = kafka;
      const tunnel = marking(newExactlyOnceTunnel(brokers, { topic, requestTimeoutMs: 1500 }));
      onTestFinished(() => tunnel[Symbol.asyncDispose]());
      await tunnel.open(never);
      const load = new NumberedLoad(tunnel);
      const detail = (): string => String(tunnel.failed.reason ?? tunnel.trouble);
      for (let time = 0; time < 3; time++) {
        const goal = load.durableInAll + 2000 + Math.random() * 4000;
        await eventually(() => load.durableInAll > goal, { what: 'the load to go on', everyMs: 5, detail });
        if (how === 'frozen') {
          kafka.freeze();
          await sleep(2500);
          kafka.thaw();
        } else {
          await (how === 'killed' ? kafka.kill() : kafka.stop());
          await kafka.start();
        }
      }
      const goal = load.durableInAll + 2000;
      await eventually(() => load.durableInAll > goal, { what: 'the load to go on', detail });
      await load.stop();
      expect(tunnel.failed.aborted).toBe(false);
      await expectAllOnce(load, brokers, topic);
    },
  );

  test('connections that a firewall has forgotten in the middle of transactions: all once (I8)', async () => {
    const topic = newTopicName();
    const { proxy } = stage;
    const tunnel = marking(newExactlyOnceTunnel(proxy.address, { topic, requestTimeoutMs: 60_000 }));
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await tunnel.open(never);
    const load = new NumberedLoad(tunnel);
    const detail = (): string => String(tunnel.failed.reason ?? tunnel.trouble);
    for (let time = 0; time < 2; time++) {
      const goal = load.durableInAll + 2000 + Math.random() * 2000;
      await eventually(() => load.durableInAll > goal, { what: 'the load to go on', everyMs: 5, detail });
      proxy.strand();
    }
    const goal = load.durableInAll + 2000;
    await eventually(() => load.durableInAll > goal, {
      what: 'the load to go on',
      timeoutMs: 30_000,
      detail,
    });
    await load.stop();
    expect(tunnel.failed.aborted).toBe(false);
    await expectAllOnce(load, kafka.brokers, topic);
  });

  test('a request to commit that the network delivers late ends no later transaction (I8)', async () => {
    const topic = newTopicName();
    const { proxy } = stage;
    const tunnel = marking(newExactlyOnceTunnel(proxy.address, { topic, requestTimeoutMs: 1500 }));
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    await tunnel.open(never);
    const load = new NumberedLoad(tunnel);
    const detail = (): string => String(tunnel.failed.reason ?? tunnel.trouble);
    const goesOn = async (): Promise<void> => {
      const goal = load.durableInAll + 2000;
      await eventually(() => load.durableInAll > goal, {
        what: 'the load to go on',
        timeoutMs: 30_000,
        detail,
      });
    };
    for (let time = 0; time < 4; time++) {
      await goesOn();
      const deliver = await proxy.strandAt(isEndTxn);
      await goesOn();
      deliver();
    }
    await goesOn();
    await load.stop();
    expect(tunnel.failed.aborted).toBe(false);
    await expectAllOnce(load, kafka.brokers, topic);
  });
});

/** Whether bytes begin with a request of Kafka's API 26. */
function isEndTxn(sent: Buffer): boolean {
  return sent.length > 6 && sent.readInt16BE(4) === 26;
}

async function expectAllOnce(load: NumberedLoad, brokers: string, topic: string): Promise<void> {
  const sent = load.given.reduce((sum, count) => sum + count);
  const records = await eventually(
    async () => {
      const found = await readTopic({ brokers, topic });
      return found.length >= sent ? found : undefined;
    },
    { what: 'all records to be committed' },
  );
  load.expectExactly(records);
}
