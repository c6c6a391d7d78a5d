import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { silentLogger } from '../../src/shared/logger.ts';
import { KafkaCluster } from '../../src/tunnel/kafka/client/kafka-cluster.ts';
import { TransactionCoordinator } from '../../src/tunnel/kafka/exactly-once/transaction-coordinator.ts';
import { eventually } from '../../testbed/eventually.ts';
import { runCollector } from '../../testbed/run-collector.ts';
import { readTopic } from '../../testbed/read-topic.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { CollectorJob } from '../support/collector-job.ts';
import { UniqueLoad } from '../support/unique-load.ts';

const exactlyOnce = {
  'tunnel.kafka.delivery': 'exactly_once',
  'tunnel.json.format': 'plain',
  'incr_sync.shard_key': 'id',
} as const;

/** Changes between runs: number of workers, of partitions, and the form of the message. */
const runs = [
  { 'incr_sync.worker': 4, 'tunnel.kafka.partition_number': 4, 'tunnel.message': 'bson' },
  { 'incr_sync.worker': 8, 'tunnel.kafka.partition_number': 2, 'tunnel.message': 'raw' },
  { 'incr_sync.worker': 3, 'tunnel.kafka.partition_number': 1, 'tunnel.message': 'json' },
  { 'incr_sync.worker': 8, 'tunnel.kafka.partition_number': 4, 'tunnel.message': 'raw' },
  {
    'incr_sync.worker': 5,
    'tunnel.kafka.partitioner': 'key',
    'tunnel.message': 'json',
    'tunnel.kafka.compression': 'lz4',
  },
  { 'incr_sync.worker': 1, 'tunnel.message': 'bson' },
] as const;

let mongo: TestMongo;

beforeAll(async () => {
  mongo = await startMongo({ oplogSizeMb: 3000, cacheSizeGb: 3 });
});

afterAll(() => mongo?.stop());

async function jobUnderLoad(
  brokers: string,
  conf: Readonly<Record<string, string | number>>,
  withLarge = true,
): Promise<{ job: CollectorJob; load: UniqueLoad }> {
  const mongoUrl = mongo.url;
  const job = await CollectorJob.start({
    mongoUrl,
    brokers,
    partitions: 4,
    conf: { ...exactlyOnce, ...conf },
    startsCollector: false,
  });
  onTestFinished(() => job[Symbol.asyncDispose]());
  const load = new UniqueLoad({ url: mongoUrl, database: job.db.databaseName, withLarge });
  onTestFinished(() => load.stop());
  return { job, load };
}

async function goOn(load: UniqueLoad, writes: number): Promise<void> {
  const goal = load.acknowledged.size + writes;
  await eventually(() => load.acknowledged.size >= goal, { what: 'the load to go on', everyMs: 5 });
}

describe.each(['kafka39', 'kafka4'] as const)('exactly once into %s', (server) => {
  const brokers = inject(server);

  test('killed again and again under load, with other workers, partitions and messages each time: all once (I8)', async () => {
    const { job, load } = await jobUnderLoad(brokers, { id: `kills-${server}` });
    for (const conf of runs) {
      await job.runWith({ id: `kills-${server}`, ...conf });
      for (let kill = 0; kill < 3; kill++) {
        await job.collector.waitForLog(/Reading begins after/);
        await goOn(load, Math.ceil(Math.random() * 600));
        expect(await job.collector.kill()).toMatchObject({ signal: 'SIGKILL' });
        if (kill < 2) await job.collector.start();
      }
    }
    await job.runWith({ id: `kills-${server}`, ...runs[0] });
    await goOn(load, 300);
    await load.stop();
    await load.expectExactly(job);
  }, 120_000);

  test('from at_least_once to exactly_once and back: orderly stops repeat nothing, crashes only in between (I8)', async () => {
    const id = `modes-${server}`;
    // Without large transactions: one that a stop has cut comes again as a whole in at_least_once.
    const { job, load } = await jobUnderLoad(brokers, { id }, false);
    for (const delivery of ['at_least_once', 'exactly_once', 'at_least_once', 'exactly_once']) {
      await job.runWith({ id, 'incr_sync.worker': 4, 'tunnel.kafka.delivery': delivery });
      await job.collector.waitForLog(/Reading begins after/);
      await goOn(load, 500);
      if (delivery === 'exactly_once') {
        await job.collector.kill();
        await job.collector.start();
        await job.collector.waitForLog(/(Reading begins after[^]*){2}/);
        await goOn(load, 500);
      }
      expect(await job.collector.stop()).toEqual({ code: 0, signal: null });
    }
    await job.runWith({ id, 'tunnel.kafka.delivery': 'at_least_once' });
    await load.stop();
    await load.expectExactly(job);
  }, 120_000);

  test('stopped in the middle of large transactions: the next run goes on within them (I8)', async () => {
    const id = `stops-${server}`;
    const { job, load } = await jobUnderLoad(brokers, { id, 'incr_sync.worker': 4 });
    await job.run();
    for (let stop = 1; stop <= 8; stop++) {
      await job.collector.waitForLog(new RegExp(`(reading the oplog of[^]*){${stop}}`));
      await goOn(load, Math.ceil(Math.random() * 200));
      expect(await job.collector.stop()).toEqual({ code: 0, signal: null });
      await job.collector.start();
    }
    await load.stop();
    await load.expectExactly(job);
  }, 120_000);

  test('killed while a transaction of 120 MB is committed in parts: each operation once (I8)', async () => {
    const id = `parts-${server}`;
    const job = await CollectorJob.start({
      mongoUrl: mongo.url,
      brokers,
      conf: { ...exactlyOnce, id },
    });
    onTestFinished(() => job[Symbol.asyncDispose]());
    await job.db.createCollection('parts');
    const pad = 'x'.repeat(1024 * 1024);
    await job.client.withSession((session) =>
      session.withTransaction(async () => {
        for (let n = 0; n < 120; n++) {
          await job.db
            .collection<{ _id: number; pad: string }>('parts')
            .insertOne({ _id: n, pad }, { session });
        }
      }),
    );
    const key = `${id}/${job.replicaSet}`;
    const partial = async (): Promise<boolean> => {
      const frontiers = await readTopic({ brokers, topic: 'oplogue-checkpoint' });
      return frontiers.some(
        (record) => record.key?.toString() === key && record.value?.includes('"partial"') === true,
      );
    };
    await eventually(partial, { what: 'a frontier within the transaction', everyMs: 5 });
    await job.collector.kill();
    await job.collector.start();
    await job.settle();
    const index = async (): Promise<number[] | undefined> => {
      const records = await job.records();
      const found = records
        .filter(({ headers }) => headers.get('oplogue.ns')?.toString().endsWith('.parts') === true)
        .map(({ headers }) => Number(headers.get('oplogue.index')?.toString()));
      return found.length >= 120 ? found : undefined;
    };
    expect(await eventually(index, { what: 'all operations' })).toEqual(
      Array.from({ length: 120 }, (_, n) => n),
    );
  }, 120_000);

  test('begins again by itself, without a gap or a repeat, when the broker has ended its transaction (I8)', async () => {
    const id = `lost-${server}`;
    const { job, load } = await jobUnderLoad(brokers, { id });
    await job.run();
    for (let time = 1; time <= 3; time++) {
      await job.collector.waitForLog(new RegExp(`(Reading begins after[^]*){${time}}`));
      await goOn(load, 300);
      await endTransactionsOf(`oplogue-${id}-${job.replicaSet}`, brokers);
      await job.collector.waitForLog(new RegExp(`(The replication begins again[^]*){${time}}`));
    }
    await load.stop();
    await load.expectExactly(job);
  });

  test('a second collector with the same id takes over, and the first one ends and says why (I5)', async () => {
    const id = `second-${server}`;
    const { job, load } = await jobUnderLoad(brokers, { id });
    const first = await job.run();
    await first.waitForLog(/Reading begins after/);
    await goOn(load, 300);
    const second = await job.runWith({ id });
    onTestFinished(() => first[Symbol.asyncDispose]());
    expect(await first.ended).toEqual({ code: 250, signal: null });
    expect(first.log).toContain(`Another collector with id ${id} has taken over`);
    await second.waitForLog(/Reading begins after/);
    await goOn(load, 300);
    await load.stop();
    await load.expectExactly(job);
  });

  test('an elected collector that is fenced from outside of its election takes its source back (I5, I8)', async () => {
    const id = `stray-${server}`;
    const { job, load } = await jobUnderLoad(brokers, { id });
    const elected = await job.runWith({ id, master_quorum: true });
    await elected.waitForLog(/Reading begins after/);
    await goOn(load, 300);
    const stray = await runCollector({ conf: { ...job.conf, id } });
    onTestFinished(() => stray[Symbol.asyncDispose]());
    expect(await stray.ended).toEqual({ code: 250, signal: null });
    await elected.waitForLog(/(Reading begins after[^]*){2}/);
    await goOn(load, 300);
    await load.stop();
    await load.expectExactly(job);
    expect(elected.running).toBe(true);
  });
});

/** What the broker does by itself with a transaction that is open for too long: ends it and raises the epoch. */
async function endTransactionsOf(transactionalId: string, brokers: string): Promise<void> {
  const [host, port] = brokers.split(':');
  const cluster = new KafkaCluster({
    brokers: [{ host, port: Number(port) }],
    connection: {
      clientId: 'test',
      connectTimeoutMs: 5000,
      requestTimeoutMs: 5000,
    },
    logger: silentLogger,
  });
  const coordinator = new TransactionCoordinator({
    cluster,
    transactionalId,
    timeoutMs: 60_000,
    logger: silentLogger,
  });
  await eventually(() => coordinator.takeOver(new AbortController().signal), {
    what: 'the transaction to be ended',
  });
  coordinator.close();
}
