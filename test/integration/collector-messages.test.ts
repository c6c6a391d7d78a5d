import { createHash } from 'node:crypto';
import { deserialize, EJSON, serialize, type Document } from 'bson';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import type { Position } from '../../src/oplog/position.ts';
import { CollectorJob, uniqueName } from '../support/collector-job.ts';
import { hostileDocuments, idValues } from '../support/hostile-documents.ts';
import { newestPosition } from '../support/oplog-recorder.ts';
import { elementsOf, insertRaw, rawDocument } from '../support/raw-bson.ts';

const largestDocumentBytes = 16 * 1024 * 1024;
const lossless = new Set(hostileDocuments().flatMap(({ what, isLossless }) => (isLossless ? [what] : [])));
/** As they are: no promotion of numbers, so that writing them again gives the same bytes. */
const exact = {
  promoteValues: false,
  promoteLongs: false,
  bsonRegExp: true,
  validation: { utf8: false },
} as const;

const mongoUrl = inject('mongoUrl');
const database = uniqueName('hostile');
let after: Position;

beforeAll(async () => {
  after = await newestPosition(mongoUrl);
  await using client = await new MongoClient(mongoUrl).connect();
  const db = client.db(database);
  const host = /\/\/([^/]+)\//.exec(mongoUrl)?.[1] ?? '';
  const insert = (collection: string, documents: readonly Buffer[]): Promise<void> =>
    insertRaw({ host, database, collection, documents });
  await insert(
    'types',
    hostileDocuments().map(({ bytes }) => bytes),
  );
  await insert(
    'ids',
    idValues.map((_id) => rawDocument(elementsOf({ _id, n: 1 }))),
  );
  const ids = db.collection('ids');
  for (const _id of idValues) {
    const filter: Document = { _id };
    await ids.updateOne(filter, { $set: { 'a.b': [1, { c: 2 }], n: 2 }, $unset: { x: 1 } });
    await ids.replaceOne(filter, { n: 3 });
    await ids.deleteOne(filter);
  }
  const frame = rawDocument(elementsOf({ _id: 'largest', text: '' })).length;
  const text = 'ä\n'.repeat(5_000_000).slice(0, 5_000_000);
  const pad = 'x'.repeat(largestDocumentBytes - frame - Buffer.byteLength(text));
  await insert('large', [rawDocument(elementsOf({ _id: 'largest', text: text + pad }))]);
});

afterAll(async () => {
  await using client = await new MongoClient(mongoUrl).connect();
  await client.db(database).dropDatabase();
});

/** Runs a collector over the corpus to its end. */
async function carry(
  brokers: string,
  conf: Readonly<Record<string, string>>,
): Promise<{ values: Buffer[]; oplog: Buffer[] }> {
  await using job = await CollectorJob.start({
    mongoUrl,
    brokers,
    database,
    after,
    conf: { 'incr_sync.worker': 1, 'tunnel.kafka.producer.maxmessagebytes': '64MiB', ...conf },
  });
  await job.settle();
  return { values: await job.values(), oplog: await job.oplog() };
}

function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash('sha1').update(bytes).digest('hex')}`;
}

describe.concurrent.each(['3.9', '4'] as const)('to Kafka %s', (version) => {
  const brokers = (): string => inject(version === '4' ? 'kafka4' : 'kafka39');

  test('bson messages are the bytes of the oplog, entry by entry', async () => {
    const { values, oplog } = await carry(brokers(), { 'tunnel.message': 'bson' });
    expect(oplog.length).toBeGreaterThan(idValues.length * 4 + lossless.size);
    expect(values.map(digest)).toEqual(oplog.map(digest));
  });

  test.each(version === '4' ? ['none', 'gzip', 'zlib', 'deflate'] : ['none'])(
    'raw messages (%s) hold the bytes of the oplog',
    async (compressor) => {
      const { values, oplog } = await carry(brokers(), {
        'tunnel.message': 'raw',
        'incr_sync.worker.oplog_compressor': compressor,
      });
      const messages = values.map((value) => decodeRawMessage(value));
      expect(messages.every(({ incomplete, tag }) => !incomplete && tag === 0x1000)).toBe(true);
      expect(messages.flatMap(({ logs }) => logs.map(digest))).toEqual(oplog.map(digest));
    },
  );

  test('canonical JSON gives every type back', async () => {
    const { values, oplog } = await carry(brokers(), {
      'tunnel.message': 'json',
      'tunnel.json.format': 'canonical_extended_json',
    });
    expect(values).toHaveLength(oplog.length);
    expect(values.map((value) => timeOf(parse(value)['ts']))).toEqual(
      oplog.map((entry) => timeOfEntry(deserialize(entry, exact))),
    );
    const given: Document[] = [];
    const wanted: Document[] = [];
    for (const [i, entry] of oplog.map((bytes) => deserialize(bytes, exact)).entries()) {
      if (entry['ns'] === `${database}.types` && !lossless.has(entry['o']['_id'])) continue;
      given.push(fieldDigests(EJSON.parse(String(values[i]), { relaxed: false })));
      wanted.push(fieldDigests(entry));
    }
    expect(wanted.length).toBeGreaterThan(lossless.size + idValues.length * 4);
    expect(given).toEqual(wanted);
  });

  test.each(['', 'relaxed_extended_json', 'plain'])(
    'JSON in the format "%s" is valid, complete and in order',
    async (format) => {
      const { values, oplog } = await carry(brokers(), {
        'tunnel.message': 'json',
        'tunnel.json.format': format,
      });
      const messages = values.map(parse);
      const entries = oplog.map((bytes) => deserialize(bytes, exact));
      expect(messages.map((message) => [timeOf(message['ts']), message['op'], message['ns']])).toEqual(
        entries.map((entry) => [timeOfEntry(entry), entry['op'], entry['ns']]),
      );
      expect(values.some((value) => value.includes(0x0a))).toBe(false);
    },
  );
});

/** What canonical JSON has to give back: the bytes of each field. A field that an entry does not have is null in the message. */
function fieldDigests(entry: Document): Document {
  const fields = ['op', 'ns', 'ui', 'o', 'o2'].filter((field) => (entry[field] ?? null) !== null);
  return fields.map((field) => `${field} ${digest(Buffer.from(serialize({ value: entry[field] })))}`);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws when it is no JSON or no UTF-8. */
function parse(value: Buffer): Document {
  const message: Document = JSON.parse(utf8.decode(value));
  return message;
}

/** A timestamp of any of the formats. */
function timeOf(ts: Document): Document {
  const { T, I, t, i }: Document = ts['$timestamp'] ?? ts;
  return { t: T ?? t, i: I ?? i };
}

function timeOfEntry({ ts }: Document): Document {
  return { t: ts.getHighBitsUnsigned(), i: ts.getLowBitsUnsigned() };
}
