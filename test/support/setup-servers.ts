import type { TestProject } from 'vitest/node';
import { startKafka } from '../../testbed/start-kafka.ts';
import { startMongo } from '../../testbed/start-mongo.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a replica set of one member that all tests share: use a database of your own. */
    mongoUrl: string;
    /** Brokers of a shared Kafka 3.9 and a shared Kafka 4: use topics of your own, and delete them. */
    kafka39: string;
    kafka4: string;
  }
}

/** Vitest's global setup: the servers for tests that need just "a MongoDB and a Kafka", started once per run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [mongo, kafka39, kafka4] = await Promise.all([
    startMongo(),
    startKafka({ version: '3.9' }),
    startKafka({ version: '4' }),
  ]);
  project.provide('mongoUrl', mongo.url);
  project.provide('kafka39', kafka39.brokers);
  project.provide('kafka4', kafka4.brokers);
  return async () => {
    await Promise.all([mongo, kafka39, kafka4].map((server) => server[Symbol.asyncDispose]()));
  };
}
