import { expect, onTestFinished, test } from 'vitest';
import { sleep } from '../../src/shared/sleep.ts';
import { eventually } from '../../testbed/eventually.ts';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import { newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import { startKafkaWithRights } from '../support/kafka-with-rights.ts';

const never = new AbortController().signal;
const topic = 'messages';
const checkpointTopic = 'positions';
const job = 'guarded';

test('without a right to the checkpoint topic the tunnel does not open, or fails, and says which topic and which right', async () => {
  await using stage = await startKafkaWithRights('writer', 'secret');
  const { kafka, guarded } = stage;
  const sasl = { mechanism: 'PLAIN', username: 'writer', password: 'secret' } as const;
  const newTunnel = () => {
    const tunnel = newExactlyOnceTunnel(guarded, { topic, checkpointTopic, job, sasl });
    onTestFinished(() => tunnel[Symbol.asyncDispose]());
    return tunnel;
  };
  await kafka.createTopic({ topic });
  await stage.allow('topic', topic, 'write', 'describe');
  // A right that has been given takes a moment to reach the broker.
  const refusal = (about: string): Promise<unknown> =>
    eventually(
      async () => {
        const error: unknown = await newTunnel()
          .open(never)
          .catch((reason: unknown) => reason);
        return error instanceof Error && error.message.startsWith(about) ? error : undefined;
      },
      { what: `a refusal about ${about}`, everyMs: 200 },
    );
  const opened = (): Promise<KafkaTunnel> =>
    eventually(
      async () => {
        const tunnel = newTunnel();
        return await tunnel.open(never).then(
          () => tunnel,
          () => undefined,
        );
      },
      { what: 'a tunnel to open', everyMs: 200 },
    );
  // The checkpoint topic is not there, and the user could not even see it if it were.
  expect(await refusal(`Topic ${checkpointTopic}`)).toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    hint: expect.stringContaining('Read, Write and Describe'),
  });
  await kafka.createTopic({ topic: checkpointTopic, config: { 'cleanup.policy': 'compact' } });
  await stage.allow('topic', checkpointTopic, 'describe');
  expect(await refusal(`Transactional id oplogue-${job}-rs0`)).toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    hint: expect.stringContaining('Write and Describe on the transactional id'),
  });
  await stage.allow('transactionalId', `oplogue-${job}-rs0`, 'write', 'describe');
  expect(await refusal(`Topic ${checkpointTopic}`)).toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    hint: expect.stringContaining('Read, Write and Describe'),
  });
  await stage.allow('topic', checkpointTopic, 'read');
  const reading = await opened();
  const reason = await eventually<unknown>(() => reading.failed.reason, { what: 'the tunnel to fail' });
  expect(reason).toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    message: expect.stringContaining(`Topic ${checkpointTopic}`),
    hint: expect.stringContaining('Write'),
  });
  await stage.allow('topic', checkpointTopic, 'write');
  await sleep(1000);
  const allowed = await opened();
  const done = new Promise<void>((resolve) => {
    allowed.lane(0).flush(resolve);
  });
  allowed.frontiers?.mark({ resumeAfter: 1n, deliveredThrough: 1n }, { now: true });
  await done;
  await sleep(1000);
  expect(allowed.failed.aborted).toBe(false);
});
