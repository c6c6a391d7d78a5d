import { deserialize, type Document } from 'bson';
import type { ClientSession, Db } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { CollectorJob, uniqueName, type CollectorJobOptions } from '../support/collector-job.ts';

const megabyte = 1024 * 1024;

let mongo: TestMongo;

beforeAll(async () => {
  // Only a test command prepares a transaction without a sharded cluster.
  mongo = await startMongo({ setParameters: { enableTestCommands: 1 }, cacheSizeGb: 0.5 });
});

afterAll(async () => {
  await mongo?.stop();
});

/** One worker and one partition, so that the topic shows the order of everything. */
async function newJob(options: Partial<CollectorJobOptions> = {}): Promise<CollectorJob> {
  const job = await CollectorJob.start({
    mongoUrl: mongo.url,
    brokers: inject('kafka39'),
    ...options,
    conf: { 'incr_sync.worker': 1, ...options.conf },
  });
  onTestFinished(() => job[Symbol.asyncDispose]());
  // A transaction cannot create collections on all servers.
  for (const name of ['a', 'b']) {
    if (!(await job.db.listCollections({ name }).hasNext())) await job.db.createCollection(name);
  }
  return job;
}

/** Runs `write` in a transaction that is left open. */
async function begin(
  job: CollectorJob,
  write: (db: Db, session: ClientSession) => Promise<void>,
): Promise<ClientSession> {
  const session = job.client.startSession();
  onTestFinished(() => session.endSession());
  session.startTransaction();
  await write(job.db, session);
  return session;
}

/** Prepares it, as a sharded cluster does. @returns how to end it */
async function prepare(job: CollectorJob, session: ClientSession): Promise<{ commit(): Promise<void> }> {
  const admin = job.client.db('admin');
  const { prepareTimestamp } = await admin.command(
    { prepareTransaction: 1, writeConcern: { w: 'majority' } },
    { session },
  );
  return {
    commit: async () => {
      const command = {
        commitTransaction: 1,
        commitTimestamp: prepareTimestamp,
        writeConcern: { w: 'majority' },
      };
      await admin.command(command, { session });
    },
  };
}

/** Inserts, changes and deletes over two collections. */
async function mixedWrites(db: Db, session: ClientSession): Promise<void> {
  const a = db.collection<{ _id: string; n?: number }>('a');
  const b = db.collection<{ _id: string; n?: number }>('b');
  await a.insertOne({ _id: 'one' }, { session });
  await b.insertMany([{ _id: 'two' }, { _id: 'three' }], { session });
  await a.updateOne({ _id: 'one' }, { $set: { n: 1 } }, { session });
  await b.deleteOne({ _id: 'two' }, { session });
  await b.replaceOne({ _id: 'three' }, { n: 3 }, { session });
}

const mixedOperations = ['i a one', 'i b two', 'i b three', 'u a one', 'd b two', 'u b three'];

async function large(db: Db, session: ClientSession): Promise<void> {
  const a = db.collection<{ _id: string; pad: string }>('a');
  for (let i = 0; i < 30; i++)
    await a.insertOne({ _id: `large ${i}`, pad: 'x'.repeat(1.5 * megabyte) }, { session });
}

const largeOperations = Array.from({ length: 30 }, (_, i) => `i a large ${i}`);

/** What came, as `operation collection _id`; without the documents of `settle`. */
async function arrived(job: CollectorJob): Promise<string[]> {
  return operationsOf((await job.values()).map((value) => deserialize(value)));
}

function operationsOf(entries: readonly Document[]): string[] {
  expect(entries.some(({ op, o }) => op === 'c' || 'applyOps' in o)).toBe(false);
  return entries
    .filter(({ ns }) => !String(ns).endsWith('.settled'))
    .map(({ op, ns, o, o2 }) => `${op} ${String(ns).split('.')[1]} ${op === 'u' ? o2._id : o._id}`);
}

function expectGrowingTime(values: readonly Buffer[]): void {
  const times = values.map((value) => deserialize(value, { useBigInt64: true })['ts'].toBigInt());
  expect(times).toEqual(times.toSorted((x, y) => (x < y ? -1 : x > y ? 1 : 0)));
}

describe('a transaction', () => {
  test('comes as its flat operations, in order, once it is committed and not before', async () => {
    const job = await newJob();
    const session = await begin(job, mixedWrites);
    await job.settle();
    expect(await arrived(job)).toEqual([]);
    await session.commitTransaction();
    await job.settle();
    expect(await arrived(job)).toEqual(mixedOperations);
    expectGrowingTime(await job.values());
  });

  test('of 45 MB over several entries comes whole', async () => {
    const job = await newJob();
    const session = await begin(job, large);
    await session.commitTransaction();
    const last = await job.settle();
    const parts = await job.oplog({ 'o.applyOps': { $exists: true } });
    expect(parts.length).toBeGreaterThan(2);
    expect(await arrived(job)).toEqual(largeOperations);
    expect(last).toBeGreaterThan(0n);
    expectGrowingTime(await job.values());
  });

  test('that is aborted leaves no trace', async () => {
    const job = await newJob();
    const session = await begin(job, mixedWrites);
    await session.abortTransaction();
    await job.settle();
    expect(await arrived(job)).toEqual([]);
  });

  test('passes the filters operation by operation', async () => {
    const database = uniqueName('filtered');
    const white = await newJob({ database, conf: { 'filter.namespace.white': `${database}.b` } });
    const black = await newJob({ database, conf: { 'filter.namespace.black': `${database}.b` } });
    const session = await begin(white, mixedWrites);
    await session.commitTransaction();
    await Promise.all([white.settle(), black.settle()]);
    expect(await arrived(white)).toEqual(mixedOperations.filter((text) => text.includes(' b ')));
    const own = (await black.values()).filter((value) => value.includes(database));
    expect(operationsOf(own.map((value) => deserialize(value)))).toEqual(
      mixedOperations.filter((text) => text.includes(' a ')),
    );
  });

  test('comes in raw messages and in JSON too', async () => {
    const database = uniqueName('formats');
    const raw = await newJob({ database, conf: { 'tunnel.message': 'raw' } });
    const json = await newJob({
      database,
      conf: { 'tunnel.message': 'json', 'tunnel.json.format': 'plain' },
    });
    const session = await begin(raw, mixedWrites);
    await session.commitTransaction();
    await Promise.all([raw.settle(), json.settle()]);
    const logs = (await raw.values()).flatMap((value) => [...decodeRawMessage(value).logs]);
    expect(operationsOf(logs.map((log) => deserialize(log)))).toEqual(mixedOperations);
    const messages = (await json.values()).map((value) => JSON.parse(String(value)));
    expect(operationsOf(messages)).toEqual(mixedOperations);
  });
});

describe('a prepared transaction', () => {
  test('comes at its commit, after what was written in between', async () => {
    const job = await newJob();
    const session = await begin(job, mixedWrites);
    const prepared = await prepare(job, session);
    await job.db.collection<{ _id: string }>('b').insertOne({ _id: 'between' });
    await job.settle();
    expect(await arrived(job)).toEqual(['i b between']);
    await prepared.commit();
    await job.settle();
    expect(await arrived(job)).toEqual(['i b between', ...mixedOperations]);
    expectGrowingTime(await job.values());
  });

  test('that is aborted leaves no trace, and lets the checkpoint go on', async () => {
    const job = await newJob();
    const session = await begin(job, mixedWrites);
    await prepare(job, session);
    await job.settle();
    await session.abortTransaction();
    const last = await job.settle();
    expect(await arrived(job)).toEqual([]);
    await job.collector.stop();
    expect(await job.checkpointed()).toBeGreaterThanOrEqual(last);
  });

  test.each([
    { how: 'SIGKILL', size: 'small' },
    { how: 'SIGTERM', size: 'small' },
    { how: 'SIGKILL', size: 'large' },
  ] as const)(
    '($size) loses nothing when the collector gets $how while it is open (I6)',
    async ({ how, size }) => {
      const job = await newJob();
      const session = await begin(job, size === 'small' ? mixedWrites : large);
      const prepared = await prepare(job, session);
      const between = await job.settle();
      await job.collector.kill(how);
      expect(await job.checkpointed()).toBeLessThan(between);
      await job.collector.start();
      await job.settle();
      expect(await arrived(job)).toEqual([]);
      await job.collector.kill(how);
      await prepared.commit();
      await job.collector.start();
      const last = await job.settle();
      expect(await arrived(job)).toEqual(size === 'small' ? mixedOperations : largeOperations);
      await job.collector.stop();
      expect(await job.checkpointed()).toBeGreaterThanOrEqual(last);
    },
  );
});
