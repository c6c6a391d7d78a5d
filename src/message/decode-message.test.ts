import { BSON } from 'bson';
import { describe, expect, test } from 'vitest';
import { rawMessage } from '../../test/support/raw-message.ts';
import vectors from '../../test/vectors/receiver.json' with { type: 'json' };
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import { createEntryEncoder, type JsonFormat } from './create-entry-encoder.ts';
import { decodeMessage } from './decode-message.ts';
import { isIncompleteRawMessage } from './is-incomplete-raw-message.ts';
import { messageFormOf } from './message-form-of.ts';
import { OplogEntry } from './oplog-entry.ts';

const id = new BSON.ObjectId('5e4fa224a6717632d6ee2e85');
const entry = {
  ts: new BSON.Timestamp({ t: 1_582_277_156, i: 7 }),
  t: 1n,
  v: 2n,
  op: 'u',
  ns: 'shop.orders.archive',
  o: { count: new BSON.Int32(1), total: 2n ** 60n, price: new BSON.Double(3), at: new Date(5) },
  o2: { _id: id },
  wall: new Date(1_582_277_156_789),
};
const bytes = Buffer.from(BSON.serialize(entry));

function asJson(jsonFormat: JsonFormat): Buffer {
  const header = new EntryHeader();
  scanEntryHeader(header, bytes, 0);
  const out = new ByteWriter();
  createEntryEncoder({ message: 'json', jsonFormat }).encode(header, out);
  return Buffer.from(out.view());
}

describe('an entry', () => {
  test('is read field by field from its bytes', () => {
    const read = new OplogEntry(bytes);
    expect(read).toMatchObject({
      op: 'u',
      ns: 'shop.orders.archive',
      database: 'shop',
      collection: 'orders.archive',
      position: (1_582_277_156n << 32n) | 7n,
      wall: new Date(1_582_277_156_789),
      isReadable: true,
    });
    expect(read.ts).toEqual(entry.ts);
    expect(read.documentId).toEqual(id);
  });

  test('keeps the types of its document, or gives JavaScript values', () => {
    const read = new OplogEntry(bytes);
    expect(BSON.serialize(read.document)).toEqual(BSON.serialize(entry.o));
    expect(read.plainDocument).toMatchObject({ count: 1, price: 3, at: new Date(5) });
  });

  test('is found inside the nested form in which MongoShake writes parts of transactions', () => {
    const nested = BSON.serialize({ parsedlog: entry, uniqueindexesupdates: null, rawsize: 1, sourceid: 0 });
    expect(new OplogEntry(Buffer.from(nested)).bytes).toEqual(bytes);
  });

  test.each([
    ['too short', Buffer.from([5, 0])],
    ['of another length', Buffer.concat([bytes, bytes])],
    ['torn inside', Buffer.from([9, 0, 0, 0, 2, 97, 0, 99, 0])],
  ])('that is %s is seen to be unreadable', (_, broken) => {
    expect(new OplogEntry(broken).isReadable).toBe(false);
  });
});

describe('a message', () => {
  test.each([
    ['raw', rawMessage({ logs: [bytes], shard: 3, compressor: 'gzip' })],
    ['bson', bytes],
    ['json', asJson('canonical_extended_json')],
    ['json', asJson('relaxed_extended_json')],
    ['json', asJson('plain')],
    ['json', asJson('')],
  ] as const)('in the form %s is told by its bytes, and decoded', (form, message) => {
    expect(messageFormOf(message)).toBe(form);
    const decoded = decodeMessage(message);
    expect(decoded).toMatchObject({ form, incomplete: false, shard: form === 'raw' ? 3 : undefined });
    const [read] = decoded.entries;
    expect(read).toMatchObject({ op: 'u', ns: entry.ns, position: (1_582_277_156n << 32n) | 7n });
    expect(read.plainDocument).toMatchObject({ count: 1, price: 3 });
  });

  test('of canonical Extended JSON gives back every type', () => {
    const [read] = decodeMessage(asJson('canonical_extended_json')).entries;
    expect(BSON.serialize(read.document)).toEqual(BSON.serialize(entry.o));
    expect(read.query).toEqual(entry.o2);
  });

  test('of the default text has documents for its key and value pairs', () => {
    const [read] = decodeMessage(asJson('')).entries;
    expect(read.query).toEqual({ _id: id.toHexString() });
  });

  test.each([['{'], ['{"ts":}'], ['[1]']])('that is no JSON of an entry is refused: %s', (text) => {
    expect(() => decodeMessage(Buffer.from(text), 'json')).toThrow('Bad json message');
  });
});

describe.each(['none', 'gzip'] as const)('what MongoShake writes to Kafka for a batch, %s', (compressor) => {
  const records = vectors.raw_three_logs[compressor].map((hex) => Buffer.from(hex, 'hex'));

  test('is incomplete but for its last record', () => {
    expect(records.map(isIncompleteRawMessage)).toEqual([true, true, false]);
  });

  test('is whole in its last record', () => {
    const { entries } = decodeMessage(records[2]);
    expect(entries.map(({ op }) => op)).toEqual(['i', 'u', 'd']);
  });
});
