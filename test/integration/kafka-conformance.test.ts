import { afterAll, beforeAll, describe } from 'vitest';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { marking, newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import { makeKafkaTunnel } from '../support/kafka-tunnel-under-test.ts';
import { itConforms } from '../support/tunnel-conformance.ts';

// A broker of its own per version, since the expectations freeze it; one that KAFKA_BROKERS names is not ours to freeze.
const can = { received: true, stall: (process.env['KAFKA_BROKERS'] ?? '') === '', breakForGood: true };

describe.each(['3.9', '4'] as const)('Kafka %s', (version) => {
  let kafka: TestKafka;
  beforeAll(async () => {
    kafka = await startKafka({ version });
  });
  afterAll(() => kafka[Symbol.asyncDispose]());

  describe.each(['raw', 'bson'] as const)('tunnel kafka %s', (message) => {
    itConforms(
      makeKafkaTunnel(() => kafka, message),
      can,
    );
  });

  describe.each(['raw', 'bson'] as const)('tunnel kafka %s, exactly once', (message) => {
    itConforms(
      makeKafkaTunnel(
        () => kafka,
        message,
        (brokers, settings) => marking(newExactlyOnceTunnel(brokers, settings)),
      ),
      can,
    );
  });
});
