import { Int32, Long, MongoClient, Timestamp, type Collection } from 'mongodb';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { AckWindow } from '../../src/checkpoint/ack-window.ts';
import { CheckpointWriter } from '../../src/checkpoint/checkpoint-writer.ts';
import { DatabaseCheckpointStore } from '../../src/checkpoint/database-checkpoint-store.ts';
import { ReplicationStats } from '../../src/metrics/replication-stats.ts';
import { connectMongo } from '../../src/mongo/connect-mongo.ts';
import { positionOf } from '../../src/oplog/position.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { eventually } from '../../testbed/eventually.ts';

const DATABASE = 'checkpoint_database_test';
const position = positionOf(1_582_277_156, 1);

let client: MongoClient;
let collection: Collection;
let store: DatabaseCheckpointStore;

beforeAll(async () => {
  const url = inject('mongoUrl');
  client = new MongoClient(url, { promoteValues: false });
  collection = client.db(DATABASE).collection('ckpt_default');
  const connection = await connectMongo({ url, connectMode: 'primary', purpose: 'checkpoint' });
  store = new DatabaseCheckpointStore({ connection, database: DATABASE, collection: 'ckpt_default' });
});

afterAll(async () => {
  await client.db(DATABASE).dropDatabase();
  await store[Symbol.asyncDispose]();
  await client.close();
});

beforeEach(async () => {
  await collection.deleteMany({});
});

const checkpoint = (at: bigint) => ({ name: 'rs0', position: at, fetchMethod: 'oplog', diskQueue: '' });

test("the document is MongoShake's: names and BSON types", async () => {
  await store.save(checkpoint(position));
  const document = await collection.findOne({ name: 'rs0' });
  // An upsert puts the field of its filter first and orders the others by name; MongoShake's is one too.
  expect(Object.keys(document ?? {})).toEqual([
    '_id',
    'name',
    'ckpt',
    'fetch_method',
    'oplog_disk_queue',
    'oplog_disk_queue_apply_finish_ts',
    'version',
  ]);
  expect(document?.['_id']._bsontype).toBe('ObjectId');
  expect(document?.['ckpt']).toEqual(Long.fromBigInt(position));
  expect(document?.['version']).toEqual(new Int32(2));
  expect(document?.['fetch_method']).toBe('oplog');
  expect(document?.['oplog_disk_queue']).toBe('');
  expect(document?.['oplog_disk_queue_apply_finish_ts']).toEqual(Long.ZERO);
  expect(await store.load('rs0')).toEqual(checkpoint(position));
});

test('there is none where none was stored', async () => {
  await store.save(checkpoint(position));
  expect(await store.load('rs1')).toBeUndefined();
});

test('a checkpoint goes forward only', async () => {
  await store.save(checkpoint(position));
  await store.save(checkpoint(position - 1n));
  expect(await store.load('rs0')).toMatchObject({ position });
  await store.save(checkpoint(position + 1n));
  expect(await store.load('rs0')).toMatchObject({ position: position + 1n });
  expect(await collection.find().toArray()).toHaveLength(1);
});

test('the Timestamp of MongoShake before 2.8 is read, kept when it is newer, and replaced when it is older', async () => {
  await collection.insertOne({ name: 'rs0', ckpt: new Timestamp(position), fetch_method: 'oplog' });
  expect(await store.load('rs0')).toEqual(checkpoint(position));
  await store.save(checkpoint(position - 1n));
  expect(await store.load('rs0')).toEqual(checkpoint(position));
  await store.save(checkpoint(position + 5n));
  expect(await store.load('rs0')).toEqual(checkpoint(position + 5n));
  expect(await collection.find().toArray()).toHaveLength(1);
});

test('a newer version is refused by name', async () => {
  await collection.insertOne({ name: 'rs0', ckpt: Long.fromBigInt(position), version: new Int32(3) });
  await expect(store.load('rs0')).rejects.toThrow('has version 3');
});

test('a ckpt of another type and two documents of one name are refused', async () => {
  await collection.insertOne({ name: 'rs0', ckpt: 'yesterday' });
  await expect(store.load('rs0')).rejects.toThrow('neither a 64-bit integer nor a timestamp');
  await collection.insertOne({ name: 'rs0', ckpt: Long.fromBigInt(position) });
  await expect(store.load('rs0')).rejects.toThrow('more than one checkpoint');
});

test('I1: the writer stores the low watermark and nothing above it', async () => {
  const acks = new AckWindow(position);
  const writer = new CheckpointWriter({
    store,
    acks,
    stats: new ReplicationStats('rs0', 1),
    logger: silentLogger,
    fetchMethod: 'oplog',
    intervalMs: 20,
    maxAgeMs: 0,
  });
  writer.start();
  const first = acks.add({ last: position + 10n, checkpointable: position + 10n, outstanding: 1 });
  const second = acks.add({ last: position + 20n, checkpointable: position + 15n, outstanding: 1 });
  acks.done(first);
  await eventually(async () => (await store.load('rs0'))?.position === position + 10n, {
    what: 'the first batch to be stored',
  });
  acks.done(second);
  await writer.stop();
  expect(await store.load('rs0')).toMatchObject({ position: position + 15n });
});
