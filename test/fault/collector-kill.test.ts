import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Position } from '../../src/oplog/position.ts';
import { sleep } from '../../src/shared/sleep.ts';
import { eventually } from '../../testbed/eventually.ts';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { CollectorJob, type CollectorJobOptions } from '../support/collector-job.ts';
import { headerOf } from '../support/oplog-entry.ts';
import { Ledger, readDeliveries } from '../support/ledger.ts';

const writesPerSecond = 1500;

let mongo: TestMongo;
let kafka: TestKafka;

beforeAll(async () => {
  [mongo, kafka] = await Promise.all([startMongo({ oplogSizeMb: 500 }), startKafka()]);
});

afterAll(async () => {
  await Promise.all([mongo?.stop(), kafka?.[Symbol.asyncDispose]()]);
});

/** A collector with eight workers and four partitions, and a load that keeps a ledger. */
async function underLoad(
  options: Partial<CollectorJobOptions> = {},
): Promise<{ job: CollectorJob; ledger: Ledger }> {
  const job = await CollectorJob.start({
    mongoUrl: mongo.url,
    brokers: kafka.brokers,
    partitions: 4,
    ...options,
    conf: {
      'incr_sync.worker': 8,
      'incr_sync.shard_key': 'id',
      'tunnel.kafka.partition_number': 4,
      ...options.conf,
    },
  });
  onTestFinished(() => job[Symbol.asyncDispose]());
  const ledger = new Ledger({ url: mongo.url, database: job.db.databaseName, writesPerSecond });
  onTestFinished(() => ledger.stop());
  await eventually(() => ledger.acknowledged > 500, { what: 'a steady load' });
  return { job, ledger };
}

/** The newest entry of the load that the stored checkpoint says is done. */
async function newestCovered(job: CollectorJob): Promise<Position> {
  const checkpoint = await job.checkpointed();
  const positions = (await job.oplog()).map((entry) => headerOf(entry).position);
  return positions.findLast((position) => position <= checkpoint) ?? 0n;
}

describe('killed at random moments under load', () => {
  test.each(['bson', 'raw'] as const)(
    'loses nothing, keeps the order of each document, and repeats only what was after its checkpoint (I1, I2, I3): %s',
    async (message) => {
      const { job, ledger } = await underLoad({ conf: { 'tunnel.message': message } });
      for (let kill = 0; kill < 4; kill++) {
        const before = ledger.acknowledged;
        const goal = before + Math.random() * writesPerSecond;
        await eventually(() => ledger.acknowledged > goal, { what: 'the load to go on', everyMs: 5 });
        expect(await job.collector.kill()).toMatchObject({ signal: 'SIGKILL' });
        await job.collector.start();
      }
      await ledger.stop();
      await job.settle();
      const deliveries = await readDeliveries(job, message);
      expect(ledger.missingIn(deliveries)).toEqual([]);
      expect(deliveries.disorder).toEqual([]);
      expect(deliveries.repeats).toBeLessThan(deliveries.total / 2);
      expect(await newestCovered(job)).toBeLessThanOrEqual(deliveries.newest);
    },
  );
});

describe('SIGTERM under load', () => {
  test('ends with 0 at the last delivered entry, and the next start repeats nothing (I1)', async () => {
    const { job, ledger } = await underLoad();
    for (let stop = 0; stop < 3; stop++) {
      const goal = ledger.acknowledged + writesPerSecond / 2;
      await eventually(() => ledger.acknowledged > goal, { what: 'the load to go on' });
      expect(await job.collector.stop()).toEqual({ code: 0, signal: null });
      expect((await readDeliveries(job)).newest).toBe(await newestCovered(job));
      await job.collector.start();
    }
    await ledger.stop();
    await job.settle();
    const deliveries = await readDeliveries(job);
    expect(ledger.missingIn(deliveries)).toEqual([]);
    expect(deliveries).toMatchObject({ disorder: [], repeats: 0 });
  });

  test('while the broker is away: ends within 35 s with 0, and nothing undelivered counts as done (I3)', async () => {
    const { job, ledger } = await underLoad();
    kafka.freeze();
    try {
      const goal = ledger.acknowledged + writesPerSecond;
      await eventually(() => ledger.acknowledged > goal, { what: 'the load to go on' });
      const startedMs = performance.now();
      expect(await job.collector.kill('SIGTERM')).toEqual({ code: 0, signal: null });
      expect(performance.now() - startedMs).toBeLessThan(35_000);
      expect(job.collector.log).toMatch(/\d+ entries were not acknowledged in time/);
    } finally {
      kafka.thaw();
    }
    expect(await newestCovered(job)).toBeLessThanOrEqual((await readDeliveries(job)).newest);
    await ledger.stop();
    await job.collector.start();
    await job.settle();
    expect(ledger.missingIn(await readDeliveries(job))).toEqual([]);
  });

  test('a second one ends it at once', async () => {
    const { job } = await underLoad();
    kafka.freeze();
    try {
      await eventually(async () => (await job.collector.text('/worker')).match(/"jobs_unack_buffer":[1-9]/), {
        what: 'something unacknowledged',
      });
      const ended = job.collector.kill('SIGTERM');
      await job.collector.waitForLog(/stopping -> |State streaming -> stopping|State stalled -> stopping/);
      await sleep(200);
      const startedMs = performance.now();
      void job.collector.kill('SIGTERM');
      expect(await ended).toEqual({ code: 130, signal: null });
      expect(performance.now() - startedMs).toBeLessThan(1000);
    } finally {
      kafka.thaw();
    }
  });
});
