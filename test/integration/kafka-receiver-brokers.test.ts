import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { KafkaReceiver } from '../../src/tunnel/kafka/kafka-receiver.ts';
import { eventually } from '../../testbed/eventually.ts';
import { freePort } from '../../testbed/free-port.ts';
import { startKafka } from '../../testbed/start-kafka.ts';
import {
  arrived,
  newKafkaReceiver,
  numbers,
  opened,
  produce,
  type ReceiverSettings,
} from '../support/kafka-receiver-under-test.ts';
import { newKafkaTunnel, newTopicName } from '../support/kafka-tunnel-under-test.ts';
import { startKafkaWithRights, type KafkaWithRights } from '../support/kafka-with-rights.ts';
import { MessageRecorder } from '../support/message-recorder.ts';
import { NumberedLoad } from '../support/numbered-load.ts';

const never = new AbortController().signal;

test('a broker that is stopped or killed in the middle loses nothing', async () => {
  await using kafka = await startKafka();
  const { brokers } = kafka;
  const topic = newTopicName();
  const tunnel = newKafkaTunnel(brokers, { topic, requestTimeoutMs: 2000 });
  onTestFinished(() => tunnel[Symbol.asyncDispose]());
  await tunnel.open(never);
  const recorder = new MessageRecorder();
  const receiver = await opened(brokers, { topic, message: 'bson' }, recorder);
  const load = new NumberedLoad(tunnel);
  const goOn = (): Promise<boolean> => arrived(recorder, recorder.messages.length + 500, receiver);
  await goOn();
  for (const end of [() => kafka.stop(), () => kafka.kill()]) {
    await end();
    await eventually(() => receiver.trouble !== undefined, { what: 'the trouble' });
    await kafka.start();
    await goOn();
    await eventually(() => receiver.trouble === undefined, {
      what: 'no trouble',
      detail: () => String(receiver.trouble),
    });
  }
  await load.stop();
  const sent = load.given.reduce((sum, count) => sum + count);
  // What was not committed when the group forgot us comes again.
  const once = (): Map<number, Buffer> =>
    new Map(recorder.messages.map(({ from, bytes }) => [Number(from.split('@')[1]), bytes]));
  await eventually(() => once().size >= sent, {
    what: 'all of them',
    detail: () => `${once().size} of ${sent}`,
  });
  const inOrder = [...once()].toSorted(([a], [b]) => a - b);
  load.expectExactly(inOrder.map(([, value]) => ({ value })));
});

describe('a receiver that needs rights', () => {
  const group = 'readers';
  const topic = 'guarded';
  let stage: KafkaWithRights;
  let guarded: string;
  beforeAll(async () => {
    stage = await startKafkaWithRights('reader', 'secret');
    const { kafka } = stage;
    ({ guarded } = stage);
    await kafka.createTopic({ topic });
    await produce(kafka.brokers, topic, numbers(0, 3));
  });
  afterAll(() => stage[Symbol.asyncDispose]());

  function settings(password: string): ReceiverSettings {
    const sasl = { mechanism: 'PLAIN', username: 'reader', password } as const;
    const connection = { clientId: 'oplogue-test', connectTimeoutMs: 2000, requestTimeoutMs: 5000, sasl };
    return { topic, groupId: group, connection };
  }

  /** Resolves with why the receiver has failed. */
  async function failureOf(receiver: KafkaReceiver): Promise<unknown> {
    await eventually(() => receiver.failed.aborted, {
      what: 'the failure',
      detail: () => String(receiver.trouble),
    });
    return receiver.failed.reason;
  }

  test('fails with a wrong password, and names what to check', async () => {
    const receiver = await opened(guarded, settings('wrong'), new MessageRecorder());
    expect(await failureOf(receiver)).toMatchObject({ code: 'KAFKA_AUTHENTICATION' });
  });

  test('fails without the right to the topic, then to the group, and reads with both', async () => {
    const first = await opened(guarded, settings('secret'), new MessageRecorder());
    expect(await failureOf(first)).toMatchObject({
      code: 'KAFKA_NOT_AUTHORIZED',
      hint: expect.stringContaining('Read and Describe on the topic'),
    });
    await stage.allow('topic', topic, 'read');
    const second = await opened(guarded, settings('secret'), new MessageRecorder());
    expect(await failureOf(second)).toMatchObject({
      code: 'KAFKA_NOT_AUTHORIZED',
      hint: expect.stringContaining('Read on the consumer group'),
    });
    await stage.allow('group', group, 'read');
    const recorder = new MessageRecorder();
    await arrived(recorder, 3, await opened(guarded, settings('secret'), recorder));
    expect(recorder.texts).toEqual(numbers(0, 3));
  });
});

test('without a broker it says so, and ends at once when it is closed', async () => {
  const port = await freePort();
  const receiver = newKafkaReceiver(`127.0.0.1:${port}`, { topic: 'nowhere' });
  await receiver.open(new MessageRecorder(), never);
  await eventually(() => receiver.trouble === `127.0.0.1:${port}: connection refused`, {
    what: 'the trouble',
    detail: () => String(receiver.trouble),
  });
  await receiver[Symbol.asyncDispose]();
  expect(receiver.failed.aborted).toBe(false);
});
