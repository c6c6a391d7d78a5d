import { BSON, MongoClient, type Collection, type Document } from 'mongodb';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { OplogEntry } from '../../src/message/oplog-entry.ts';
import { MongodbReplayer } from '../../src/receiver/mongodb-replayer.ts';
import { eventually } from '../../testbed/eventually.ts';
import { freePort } from '../../testbed/free-port.ts';
import { runCollector } from '../../testbed/run-collector.ts';
import { runReceiver } from '../../testbed/run-receiver.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { uniqueName } from '../support/collector-job.ts';
import { everyType } from '../support/every-type.ts';
import { MemoryLogger } from '../support/memory-logger.ts';

let source: TestMongo;
let target: TestMongo;
let from: MongoClient;
let to: MongoClient;

beforeAll(async () => {
  [source, target] = await Promise.all([startMongo(), startMongo()]);
  [from, to] = await Promise.all([MongoClient.connect(source.url), MongoClient.connect(target.url)]);
});

afterAll(async () => {
  await Promise.all([from?.close(), to?.close()]);
  await Promise.all([source?.stop(), target?.stop()]);
});

async function newReplayer(): Promise<{ replayer: MongodbReplayer; logger: MemoryLogger }> {
  const replayer = new MongodbReplayer(target.url);
  const logger = new MemoryLogger();
  await replayer.open({ index: 0, count: 1, argument: '', logger });
  onTestFinished(() => replayer.close());
  return { replayer, logger };
}

/** What the source's oplog has of a database. */
async function oplogOf(database: string): Promise<OplogEntry[]> {
  const entries = from
    .db('local')
    .collection('oplog.rs')
    .find({ ns: { $regex: `^${database}\\.` } }, { raw: true, sort: { $natural: 1 } });
  const all: OplogEntry[] = [];
  for await (const entry of entries) all.push(new OplogEntry(Buffer.from(Object(entry))));
  return all;
}

async function apply(replayer: MongodbReplayer, entries: readonly OplogEntry[], batch = 97): Promise<void> {
  const context = { attempt: 0, signal: new AbortController().signal };
  for (let at = 0; at < entries.length; at += batch) {
    await replayer.apply(entries.slice(at, at + batch), context);
  }
}

/** Every document of a database as hexadecimal bytes, by collection and id; and the indexes. */
async function contentOf(client: MongoClient, database: string): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {};
  const collections = await client.db(database).listCollections({}, { nameOnly: false }).toArray();
  for (const { name, options } of collections.toSorted((a, b) => a.name.localeCompare(b.name))) {
    const collection = client.db(database).collection(name);
    const documents = await collection.find({}, { raw: true, sort: { _id: 1 } }).toArray();
    content[name] = {
      options,
      documents: documents.map((bytes) => Buffer.from(Object(bytes)).toString('hex')),
      indexes: (await collection.indexes()).toSorted((a, b) => (a.name ?? '').localeCompare(b.name ?? '')),
    };
  }
  return content;
}

/** A fixed sequence (Park and Miller), so that a failure can be seen again. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}

const NAMES = ['a', 'b', '1', '0', 'list', 'deep', 'é'];

function randomValue(random: (below: number) => number, depth = 0): unknown {
  const kind = random(depth > 2 ? 5 : 8);
  if (kind === 0) return random(100);
  if (kind === 1) return `text ${random(100)}`;
  if (kind === 2) return BSON.Long.fromNumber(random(1e9));
  if (kind === 3) return null;
  if (kind === 4) return new BSON.Double(random(10));
  if (kind < 7) {
    const fields = Array.from({ length: random(4) }, () => NAMES[random(NAMES.length)]);
    return Object.fromEntries(fields.map((name) => [name, randomValue(random, depth + 1)]));
  }
  return Array.from({ length: random(6) }, () => randomValue(random, depth + 1));
}

interface Numbered extends Document {
  _id: number;
}

function randomDocument(random: (below: number) => number): Document {
  const fields = Array.from({ length: random(5) }, () => NAMES[random(NAMES.length)]);
  return Object.fromEntries(fields.map((name) => [name, randomValue(random)]));
}

function randomPath(random: (below: number) => number): string {
  const parts = Array.from({ length: 1 + random(3) }, () => NAMES[random(NAMES.length)]);
  return parts.join('.');
}

/** One of the many ways of changing a document; those that do not fit it are refused by the server, and no matter. */
function randomUpdate(random: (below: number) => number): Document | Document[] {
  const path = randomPath(random);
  const value = randomValue(random);
  const updates: Array<Document | Document[]> = [
    { $set: { [path]: value } },
    {
      $set: { [path]: value, [randomPath(random)]: randomValue(random) },
      $unset: { [randomPath(random)]: 1 },
    },
    { $unset: { [path]: 1 } },
    { $push: { list: value } },
    { $push: { list: { $each: [value, 1, { a: 1 }], $position: random(3) } } },
    { $push: { list: { $each: [value], $slice: random(5) - 2 } } },
    { $pop: { list: random(2) === 0 ? 1 : -1 } },
    { $pull: { list: { $in: [1, null] } } },
    { $set: { [`list.${random(9)}`]: value } },
    { $set: { [`list.${random(4)}.a`]: value } },
    { $unset: { [`list.${random(4)}`]: 1 } },
    { $inc: { [path]: random(5) } },
    { $rename: { a: 'b' } },
    { $currentDate: { [path]: { $type: 'timestamp' } } },
    [{ $set: { list: { $slice: ['$list', random(3) + 1] } } }],
    [
      {
        $set: { list: { $concatArrays: [{ $ifNull: ['$deep', []] }, [1, 2]] }, [path]: { $literal: value } },
      },
    ],
    [{ $replaceWith: { $setField: { field: 'dotted.name', input: '$$ROOT', value: { $literal: value } } } }],
    [{ $replaceWith: { $setField: { field: { $literal: '$dollar' }, input: '$$ROOT', value: random(9) } } }],
    [{ $unset: NAMES[random(NAMES.length)] }],
    [{ $replaceWith: { _id: '$_id', list: '$list', b: '$a' } }],
  ];
  return updates[random(updates.length)];
}

async function randomLoad(
  collection: Collection<{ _id: number }>,
  seed: number,
  count: number,
): Promise<void> {
  const random = randomFrom(seed);
  for (let i = 0; i < count; i++) {
    const _id = random(12);
    const dice = random(20);
    try {
      if (dice === 0) await collection.deleteOne({ _id });
      else if (dice < 3) await collection.replaceOne({ _id }, randomDocument(random), { upsert: true });
      else if (dice === 3)
        await collection.insertOne(Object.assign(randomDocument(random), { _id, list: [1, 2] }));
      else await collection.updateOne({ _id }, randomUpdate(random), { upsert: dice < 6 });
    } catch (error) {
      // An operator that does not fit the document.
      if (!(error instanceof Error) || !error.name.startsWith('Mongo')) throw error;
    }
  }
}

test('updates of every kind that a server writes end in the same bytes (I2)', async () => {
  const database = uniqueName('updates');
  for (const seed of [11, 23, 47]) {
    await randomLoad(from.db(database).collection(`c${seed}`), seed, 500);
  }
  const entries = await oplogOf(database);
  const diffs = entries.filter(({ op, document }) => op === 'u' && document['diff'] !== undefined);
  expect(diffs.length).toBeGreaterThan(300);
  const { replayer } = await newReplayer();
  await apply(replayer, entries);
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
});

test('entries that come again, from any place on, end in the same bytes (I3)', async () => {
  const database = uniqueName('repeats');
  await randomLoad(from.db(database).collection('c'), 5, 800);
  const entries = await oplogOf(database);
  const { replayer } = await newReplayer();
  const random = randomFrom(99);
  // As after crashes: on, and back to somewhere before.
  let reached = 0;
  while (reached < entries.length) {
    const begin = random(reached + 1);
    const end = Math.min(entries.length, reached + 1 + random(200));
    await apply(replayer, entries.slice(begin, end), 1 + random(60));
    reached = end;
  }
  await apply(replayer, entries.slice(random(entries.length)));
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
});

describe('what servers before 5.0 write', () => {
  test('updates by operators and replacements are applied, in order with all else', async () => {
    const database = uniqueName('old');
    const { replayer, logger } = await newReplayer();
    const entry = (op: string, o: Document, o2?: Document): OplogEntry =>
      new OplogEntry(
        Buffer.from(
          BSON.serialize({ ts: new BSON.Timestamp(1n), op, ns: `${database}.c`, o, ...(o2 && { o2 }) }),
        ),
      );
    await apply(replayer, [
      entry('i', { _id: 1, a: { b: 1, c: 1 }, list: [1, 2, 3] }),
      entry('u', { $v: 1, $set: { 'a.b': 2, 'list.1': 9 }, $unset: { 'a.c': true } }, { _id: 1 }),
      entry('u', { _id: 2, whole: true }, { _id: 2 }),
      entry('u', { $v: 1, $set: { x: 1 } }, { _id: 3 }),
      entry('d', { _id: 2 }),
      entry('u', { $v: 2, diff: { u: { a: 1 } } }, { _id: 1 }),
      entry('u', { $set: { b: 1 } }, { _id: 1 }),
      entry('n', { msg: 'periodic noop' }),
    ]);
    expect(await to.db(database).collection('c').find().toArray()).toEqual([
      { _id: 1, a: 1, list: [1, 9, 3], b: 1 },
    ]);
    expect(logger.text).toMatch(/"updates":1.*documents that the target does not have/);
  });
});

test('commands are carried out, and do no harm when they come again', async () => {
  const database = uniqueName('commands');
  const db = from.db(database);
  await db.createCollection('plain');
  await db.createCollection('rings', { capped: true, size: 4096, max: 3 });
  await db.createCollection('checked', { validator: { n: { $gt: 0 } } });
  await db.collection('rings').insertMany([{ n: 1 }, { n: 2 }]);
  await db.collection('plain').createIndex({ '1': 1, '0': -1 }, { unique: true, sparse: true });
  await db.collection('plain').createIndex({ n: 1 }, { expireAfterSeconds: 1000, name: 'ttl' });
  await db.command({ collMod: 'plain', index: { name: 'ttl', expireAfterSeconds: 5000 } });
  await db.collection('gone').insertOne({ n: 1 });
  await db.collection('gone').drop();
  await db.collection('old').insertMany([{ n: 1 }, { n: 2 }]);
  await db.collection('old').rename('new');
  await db.collection('new').insertOne({ n: 3 });
  await db.collection('next').insertOne({ n: 4 });
  await db.collection('next').rename('plain2');
  await db.collection('more').insertOne({ n: 5 });
  await db.collection('more').rename('plain2', { dropTarget: true });
  await db.collection('plain').dropIndex('ttl');
  await db.command({ collMod: 'checked', validator: { n: { $gt: 5 } } });
  const entries = await oplogOf(database);
  const { replayer } = await newReplayer();
  await apply(replayer, entries, 4);
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
  await apply(replayer, entries, 7);
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
  for (let begin = entries.length - 1; begin > 0; begin -= 3) await apply(replayer, entries.slice(begin));
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
  await db.dropDatabase();
  await apply(replayer, (await oplogOf(database)).slice(entries.length));
  expect(await to.db(database).listCollections().toArray()).toEqual([]);
});

test('a rename onto a collection that the source does not have is refused', async () => {
  const database = uniqueName('mine');
  await from.db(database).collection('a').insertOne({ n: 1 });
  await from.db(database).collection('a').rename('b');
  await to.db(database).collection('b').insertOne({ mine: true });
  const { replayer } = await newReplayer();
  const entries = await oplogOf(database);
  for (const _attempt of [0, 1]) {
    await expect(apply(replayer, entries)).rejects.toMatchObject({ code: 'TARGET_COLLECTION_EXISTS' });
  }
  expect(await to.db(database).collection('b').countDocuments()).toBe(1);
});

test.each([
  ['a command', 'c', { dbCheck: 'c' }],
  ['a kind of entry', 'x', { _id: 1 }],
  ['an update operator', 'u', { $inc: { a: 1 } }],
  ['a document without _id', 'i', { a: 1 }],
])('%s that cannot be carried over is refused by name', async (_, op, o) => {
  const { replayer } = await newReplayer();
  const bytes = BSON.serialize({ ts: new BSON.Timestamp(1n), op, ns: 'shop.c', o, o2: { _id: 1 } });
  await expect(apply(replayer, [new OplogEntry(Buffer.from(bytes))])).rejects.toMatchObject({
    code: 'REPLAYER_UNSUPPORTED',
  });
});

test('documents that exchange the values of a unique index are brought there step by step', async () => {
  const database = uniqueName('unique');
  const collection = from.db(database).collection<{ _id: number; u: number }>('c');
  await collection.createIndex({ u: 1 }, { unique: true });
  await collection.insertMany([
    { _id: 1, u: 1 },
    { _id: 2, u: 2 },
  ]);
  const { replayer } = await newReplayer();
  await apply(replayer, await oplogOf(database));
  const before = (await oplogOf(database)).length;
  await collection.updateOne({ _id: 1 }, { $set: { u: 3 } });
  await collection.updateOne({ _id: 2 }, { $set: { u: 1 } });
  await collection.updateOne({ _id: 1 }, { $set: { u: 2 } });
  await apply(replayer, (await oplogOf(database)).slice(before));
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
});

test('a collector and a receiver bring a target to the state of the source while both are killed', async () => {
  const database = uniqueName('pair');
  await from.db(database).createCollection('c');
  const both = { tunnel: 'rpc', 'tunnel.address': `127.0.0.1:${await freePort()}` };
  const receiver = await runReceiver({
    conf: { ...both, replayer: 4, 'replayer.module': 'mongodb', 'replayer.mongo_url': target.url },
  });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  const collector = await runCollector({
    conf: {
      ...both,
      mongo_urls: source.url,
      'incr_sync.worker': 4,
      'incr_sync.shard_key': 'id',
      'filter.ddl_enable': true,
      'filter.namespace.white': database,
      'checkpoint.storage.collection': uniqueName('ckpt'),
      'checkpoint.interval': 500,
      'checkpoint.start_position': '1970-01-01T00:00:00Z',
    },
  });
  onTestFinished(() => collector[Symbol.asyncDispose]());
  const collection = from.db(database).collection<Numbered>('c');
  await randomLoad(collection, 3, 200);
  await receiver.kill();
  await randomLoad(collection, 4, 200);
  await receiver.start();
  await randomLoad(collection, 6, 200);
  await collector.kill();
  await randomLoad(collection, 8, 200);
  await collector.start();
  await from.db(database).collection('types').insertOne(everyType());
  await randomLoad(collection, 9, 200);
  await eventually(
    async () =>
      JSON.stringify(await contentOf(to, database)) === JSON.stringify(await contentOf(from, database)),
    { what: 'the same state', timeoutMs: 40_000, everyMs: 500, detail: () => receiver.log.slice(-2000) },
  );
  expect(await contentOf(to, database)).toEqual(await contentOf(from, database));
});
