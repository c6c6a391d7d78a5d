import { deserialize, type Document } from 'bson';
import { ObjectId } from 'mongodb';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import type { TopicRecord } from '../../testbed/read-topic.ts';
import { CollectorJob, type CollectorJobOptions, uniqueName } from '../support/collector-job.ts';

const workers = 8;
const partitions = 4;

async function newJob(options: Partial<CollectorJobOptions> = {}): Promise<CollectorJob> {
  const job = await CollectorJob.start({
    mongoUrl: inject('mongoUrl'),
    brokers: inject('kafka4'),
    partitions,
    ...options,
    conf: { 'incr_sync.worker': workers, 'tunnel.kafka.partition_number': partitions, ...options.conf },
  });
  onTestFinished(async () => {
    await job.db.dropDatabase();
    await job[Symbol.asyncDispose]();
  });
  return job;
}

/** Inserts, then changes all documents `rounds` times, over four collections and text and ObjectId keys. */
async function changeAll(job: CollectorJob, rounds = 4): Promise<void> {
  const ids: (string | ObjectId)[] = Array.from({ length: 30 }, (_, i) => `kunde-${i}-ü`);
  for (let i = 0; i < 30; i++) ids.push(new ObjectId());
  for (const name of ['a', 'b', 'c', 'd']) {
    const collection = job.db.collection<{ _id: string | ObjectId; n: number }>(name);
    await collection.insertMany(ids.map((_id) => ({ _id, n: 0 })));
    for (let n = 1; n <= rounds; n++) {
      await collection.bulkWrite(
        ids.map((_id) => ({ updateOne: { filter: { _id }, update: { $set: { n } } } })),
      );
    }
  }
}

interface Arrival {
  readonly partition: number;
  readonly ns: string;
  readonly id: string;
  readonly n: number;
}

function arrivalsOf(records: readonly TopicRecord[]): Arrival[] {
  return records
    .map(({ partition, value }) => {
      const { ns, op, o, o2 }: Document = deserialize(value ?? Buffer.alloc(0));
      const id = String(op === 'u' ? o2._id : o._id);
      return { partition, ns: String(ns), id, n: op === 'u' ? o.diff.u.n : o.n };
    })
    .filter(({ ns }) => !ns.endsWith('.settled'));
}

/** `h = 31 h + character`, unsigned 32 bits: MongoShake's hash of a namespace or a key. */
function mongoShakeHash(text: string): number {
  let hash = 0;
  for (const character of text) hash = (Math.imul(31, hash) + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash;
}

function partitionOf(key: string): number {
  return (mongoShakeHash(key) % workers) % partitions;
}

/** Each document's changes, in the order in which they came. */
function countsByDocument(arrivals: readonly Arrival[]): number[][] {
  const counts = new Map<string, number[]>();
  for (const { ns, id, n } of arrivals) {
    const key = `${ns} ${id}`;
    counts.set(key, [...(counts.get(key) ?? []), n]);
  }
  return [...counts.values()];
}

describe('eight workers and four partitions', () => {
  test.each(['collection', 'id', 'white'] as const)(
    "put each document where MongoShake's hash has it, its changes in order (I2): shard_key %s",
    async (shardKey) => {
      const database = uniqueName('routed');
      const whitelist = { 'incr_sync.shard_by_object_id_whitelist': `${database}.b` };
      const job = await newJob({
        database,
        conf: {
          'incr_sync.shard_key': shardKey === 'id' ? 'id' : 'collection',
          ...(shardKey === 'white' ? whitelist : {}),
        },
      });
      await changeAll(job);
      await job.settle();
      const arrivals = arrivalsOf(await job.records());
      expect(countsByDocument(arrivals)).toEqual(Array.from({ length: 240 }, () => [0, 1, 2, 3, 4]));
      const byId = (ns: string): boolean => shardKey === 'id' || (shardKey === 'white' && ns.endsWith('.b'));
      expect(arrivals.map(({ partition }) => partition)).toEqual(
        arrivals.map(({ ns, id }) => partitionOf(byId(ns) ? id : ns)),
      );
      expect(new Set(arrivals.map(({ partition }) => partition)).size).toBeGreaterThan(1);
    },
  );

  test('with partitioner key every record has its key, and a key keeps its partition and order', async () => {
    const job = await newJob({
      conf: { 'tunnel.kafka.partitioner': 'key', 'incr_sync.shard_key': 'id', 'tunnel.message': 'bson' },
    });
    await changeAll(job);
    await job.settle();
    const records = await job.records();
    const arrivals = arrivalsOf(records);
    expect(countsByDocument(arrivals)).toEqual(Array.from({ length: 240 }, () => [0, 1, 2, 3, 4]));
    expect(records.every(({ key }) => String(key).startsWith('{"_id":'))).toBe(true);
    const places = new Set(records.map(({ key, partition }) => `${String(key)} ${partition}`));
    expect(places.size).toBe(new Set(records.map(({ key }) => String(key))).size);
    expect(new Set(arrivals.map(({ partition }) => partition)).size).toBe(partitions);
  });
});

describe('filters', () => {
  test.each([
    { list: 'white', carried: ['a', 'a.inner', 'c'] },
    { list: 'black', carried: ['ab', 'b'] },
  ] as const)('a $list list carries what it names, with what lies below it', async ({ list, carried }) => {
    const database = uniqueName('filtered');
    const job = await newJob({
      database,
      conf: { [`filter.namespace.${list}`]: `${database}.a;${database}.c` },
    });
    for (const name of ['a', 'ab', 'a.inner', 'b', 'c']) {
      await job.db.collection(name).insertOne({ n: 1 });
    }
    await job.settle();
    const own = arrivalsOf(await job.records()).filter(({ ns }) => ns.startsWith(database));
    expect(own.map(({ ns }) => ns.slice(database.length + 1)).toSorted()).toEqual(carried);
  });

  test('leaves out noops, and changes that the balancer makes', async () => {
    const job = await newJob();
    const admin = job.client.db('admin');
    await job.db.createCollection('a');
    await admin.command({ appendOplogNote: 1, data: { note: job.topic } });
    const ns = `${job.db.databaseName}.a`;
    await admin.command({
      applyOps: [
        { op: 'i', ns, o: { _id: 'moved', n: 1 }, fromMigrate: true },
        { op: 'i', ns, o: { _id: 'ours', n: 1 } },
      ],
    });
    await job.db.collection<{ _id: string; n: number }>('a').insertOne({ _id: 'last', n: 1 });
    await job.settle();
    const arrivals = arrivalsOf(await job.records());
    expect(arrivals.map(({ id }) => id)).toEqual(['ours', 'last']);
  });
});

describe('DDL', () => {
  async function changeStructure(job: CollectorJob): Promise<void> {
    const { db } = job;
    await db.createCollection('a');
    await db.collection('a').insertMany(Array.from({ length: 200 }, (_, n) => ({ n })));
    await db.collection('a').createIndex({ n: 1 });
    await db.collection('a').insertOne({ n: 200 });
    await db.collection('a').rename('b');
    await db.collection('b').insertMany(Array.from({ length: 200 }, (_, n) => ({ n })));
    await db.collection('b').drop();
    await db.collection('c').insertOne({ n: 1 });
    await db.dropDatabase();
  }

  test('is left out with filter.ddl_enable = false', async () => {
    const job = await newJob();
    await changeStructure(job);
    await job.settle();
    const ops = (await job.values()).map((value) => String(deserialize(value)['op']));
    expect(ops).toHaveLength(403);
    expect(new Set(ops)).toEqual(new Set(['i']));
  });

  test('is a barrier among eight workers: all before it came before, all after it later (I2)', async () => {
    const job = await newJob({ conf: { 'filter.ddl_enable': true, 'incr_sync.shard_key': 'id' } });
    await changeStructure(job);
    await job.settle();
    const entries = (await job.records()).map(({ partition, offset, value }) => {
      const { ts, op, o }: Document = deserialize(value ?? Buffer.alloc(0), { useBigInt64: true });
      return { partition, offset, ts: BigInt(ts.toBigInt()), command: op === 'c' ? Object.keys(o)[0] : '' };
    });
    const ddl = entries.filter(({ command }) => command !== '');
    expect(ddl.map(({ command }) => command)).toEqual(
      expect.arrayContaining(['create', 'commitIndexBuild', 'renameCollection', 'drop', 'dropDatabase']),
    );
    // Worker 0 writes the DDL to partition 0, with the keys that it carries: there the order is seen.
    expect(new Set(ddl.map(({ partition }) => partition))).toEqual(new Set([0]));
    for (const partition of [0, 1, 2, 3]) {
      const times = entries.filter((entry) => entry.partition === partition).map(({ ts }) => ts);
      for (const { ts } of ddl) {
        const firstAfter = times.findIndex((time) => time > ts);
        const lastBefore = times.findLastIndex((time) => time < ts);
        expect(firstAfter === -1 || lastBefore < firstAfter).toBe(true);
      }
    }
    // The beginning of an index build changes nothing and is never carried.
    const wanted = await job.oplog({
      ns: new RegExp(`^${job.db.databaseName}\\.`),
      'o.startIndexBuild': { $exists: false },
    });
    expect(entries).toHaveLength(wanted.length);
  });
});
