import { join } from 'node:path';
import { canListen } from '../testbed/free-port.ts';
import { makeTempFolder } from '../testbed/process-guard.ts';
import { startKafka, type TestKafka } from '../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../testbed/start-mongo.ts';
import { TestbedError } from '../testbed/testbed-error.ts';
import { describeError } from '../src/shared/errors.ts';
import type { DemoOptions } from './demo-options.ts';

/** Everything the demo runs against. */
export interface DemoServers {
  readonly mongo: TestMongo;
  /** Undefined: the file tunnel. */
  readonly kafka: TestKafka | undefined;
  /** Names that are free on these servers. */
  readonly database: string;
  readonly checkpointDatabase: string;
  readonly topic: string;
  /** Path of the file tunnel. */
  readonly file: string;
}

/** Old segments go: an hour of messages is many gigabytes. The reader of the demo is never so far behind. */
const topicConfig = {
  'retention.bytes': String(512 * 1024 * 1024),
  'segment.bytes': String(64 * 1024 * 1024),
};

/** Starts them, or takes the ones of MONGO_URL and KAFKA_BROKERS. @throws TestbedError with the remedy */
export async function startDemoServers(
  options: DemoOptions,
  say: (text: string) => void,
): Promise<DemoServers> {
  await requireFree(options.mongoPort, '--mongo-port');
  await requireFree(options.kafkaPort, '--kafka-port');
  say('starting MongoDB ...');
  const mongo = await startMongo(options.mongoPort === undefined ? {} : { port: options.mongoPort });
  say(`MongoDB is up: ${mongo.members.length > 0 ? mongo.url : 'the deployment of MONGO_URL'}`);
  const kafka = await startTunnelEnd(options, say);
  const suffix = mongo.members.length > 0 && kafka?.owned !== false ? '' : `_${Date.now().toString(36)}`;
  const servers = {
    mongo,
    kafka,
    database: `shop${suffix}`,
    checkpointDatabase: `mongoshake${suffix}`,
    topic: `oplogue-demo${suffix}`,
    file: join(makeTempFolder('file-tunnel'), 'entries.json'),
  };
  await kafka?.createTopic({ topic: servers.topic, config: topicConfig });
  return servers;
}

async function startTunnelEnd(
  options: DemoOptions,
  say: (text: string) => void,
): Promise<TestKafka | undefined> {
  if (options.tunnel === 'file') return undefined;
  say('starting Kafka ...');
  try {
    const kafka = await startKafka({
      version: options.kafka,
      ...(options.kafkaPort === undefined ? {} : { port: options.kafkaPort }),
    });
    say(`Kafka is up: ${kafka.brokers}`);
    return kafka;
  } catch (error) {
    if (options.tunnel === 'kafka' || options.message !== 'json' || !(error instanceof TestbedError))
      throw error;
    say(`no Kafka: ${describeError(error)}`);
    say('going on without it: the messages go into a file (tunnel = file)');
    return undefined;
  }
}

async function requireFree(port: number | undefined, option: string): Promise<void> {
  if (port === undefined || (await canListen(port))) return;
  throw new TestbedError(
    `Port ${port} of 127.0.0.1 is in use`,
    `stop what listens there, or leave ${option} out`,
  );
}
