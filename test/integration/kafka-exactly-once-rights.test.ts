import { expect, onTestFinished, test } from 'vitest';
import { newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import { startKafkaWithRights } from '../support/kafka-with-rights.ts';

const never = new AbortController().signal;
const topic = 'messages';
const checkpointTopic = 'positions';
const job = 'guarded';

test('without a right to the checkpoint topic the tunnel does not open, and says which topic and which right', async () => {
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
  // The checkpoint topic is not there, and the user could not even see it if it were.
  await expect(newTunnel().open(never)).rejects.toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    message: expect.stringContaining(`Topic ${checkpointTopic}`),
    hint: expect.stringContaining('Read, Write and Describe'),
  });
  await kafka.createTopic({ topic: checkpointTopic, config: { 'cleanup.policy': 'compact' } });
  await stage.allow('topic', checkpointTopic, 'describe');
  await expect(newTunnel().open(never)).rejects.toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    message: expect.stringContaining(`Transactional id oplogue-${job}-rs0`),
    hint: expect.stringContaining('Write and Describe on the transactional id'),
  });
  await stage.allow('transactionalId', `oplogue-${job}-rs0`, 'write', 'describe');
  await expect(newTunnel().open(never)).rejects.toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    message: expect.stringContaining(`Topic ${checkpointTopic}`),
    hint: expect.stringContaining('Read, Write and Describe'),
  });
  await stage.allow('topic', checkpointTopic, 'read');
  await expect(newTunnel().open(never)).rejects.toMatchObject({
    code: 'KAFKA_NOT_AUTHORIZED',
    message: expect.stringContaining(`Topic ${checkpointTopic}`),
    hint: expect.stringContaining('Write'),
  });
  await stage.allow('topic', checkpointTopic, 'write');
  await newTunnel().open(never);
});
