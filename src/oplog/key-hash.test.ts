import { readFileSync } from 'node:fs';
import { Binary, Decimal128, Double, Int32, Long, ObjectId, serialize, type Document } from 'bson';
import { expect, test } from 'vitest';
import { EntryHeader, scanEntryHeader } from './entry-header.ts';
import { hashDocumentId, hashText } from './key-hash.ts';
import { LaneRouter } from './lane-router.ts';

interface Vectors {
  by_collection: { ns: string; hash32: number; mod2: number; mod3: number; mod8: number; mod10000: number }[];
  by_id: { id_kind: string; hash32_of_id: number; mod10000: number; oplog_bson_hex: string }[];
  special_cases: {
    oplog_canonical_extjson: string;
    hash: Record<string, { collection: number; id: number }>;
  }[];
  whitelist: { ns: string; _id: string; whitelist: string[]; mod8: number; mod10000: number }[];
}
const file = new URL('../../test/vectors/hash.json', import.meta.url);
const vectors: Vectors = JSON.parse(readFileSync(file, 'utf8'));

function scan(bytes: Buffer): EntryHeader {
  const header = new EntryHeader();
  scanEntryHeader(header, bytes, 0);
  return header;
}
function nsHash(header: EntryHeader): number {
  return hashText(header.bytes, header.nsStart, header.nsEnd);
}
function textHash(text: string): number {
  const bytes = Buffer.from(text);
  return hashText(bytes, 0, bytes.length);
}
function idHash(id: unknown): number {
  return hashDocumentId(scan(Buffer.from(serialize({ op: 'i', ns: 'a.b', o: { x: 1, _id: id } }))), 7);
}
function route(header: EntryHeader, lanes: number, shardKey: 'collection' | 'id', idSharded = false): number {
  return new LaneRouter({ lanes, shardKey }).route(header, { hash: nsHash(header), idSharded });
}

test.each(vectors.by_collection)('the namespace $ns has the hash of MongoShake', (vector) => {
  expect(textHash(vector.ns)).toBe(vector.hash32);
  const header = scan(Buffer.from(serialize({ op: 'i', ns: vector.ns, o: { _id: 1 } })));
  expect(route(header, 8, 'collection')).toBe(vector.mod8);
  expect(route(header, 10_000, 'collection')).toBe(vector.mod10000);
});

test.each(vectors.by_id.filter(({ id_kind }) => /^(objectId|string|null)/.test(id_kind)))(
  'an _id of kind $id_kind goes to the lane of MongoShake',
  (vector) => {
    const header = scan(Buffer.from(vector.oplog_bson_hex, 'hex'));
    expect(hashDocumentId(header, 0)).toBe(vector.hash32_of_id);
    expect(route(header, 10_000, 'id')).toBe(vector.mod10000);
  },
);

test('I2: the insert, update and delete of one document share a lane, whatever the type of _id', () => {
  const lanesByKind = new Map<string, Set<number>>();
  for (const { id_kind, oplog_bson_hex } of vectors.by_id) {
    const lanes = lanesByKind.get(id_kind) ?? new Set();
    lanesByKind.set(id_kind, lanes.add(route(scan(Buffer.from(oplog_bson_hex, 'hex')), 10_000, 'id')));
  }
  for (const lanes of lanesByKind.values()) expect(lanes.size).toBe(1);
});

test.each(vectors.special_cases)(
  'special case $oplog_canonical_extjson',
  ({ oplog_canonical_extjson, hash }) => {
    const entry: Document = JSON.parse(oplog_canonical_extjson);
    if (entry['o'].q !== undefined) entry['o'].q = 1;
    const header = scan(Buffer.from(serialize(entry)));
    for (const [mod, expected] of Object.entries(hash)) {
      const lanes = Number(mod.slice(3));
      expect(route(header, lanes, 'collection')).toBe(expected.collection);
      // Commands always go to lane 0 here; each is a barrier, so that nothing can overtake it.
      expect(route(header, lanes, 'id')).toBe(entry['op'] === 'c' ? 0 : expected.id);
    }
  },
);

test.each(vectors.whitelist)('white list $whitelist, namespace $ns', (vector) => {
  const entry = { op: 'i', ns: vector.ns, o: { _id: new ObjectId(vector._id) } };
  const header = scan(Buffer.from(serialize(entry)));
  const idSharded = vector.whitelist.includes(vector.ns);
  expect(route(header, 8, 'collection', idSharded)).toBe(vector.mod8);
  expect(route(header, 10_000, 'collection', idSharded)).toBe(vector.mod10000);
});

test('I2: numbers that MongoDB holds for one key hash alike, also inside documents', () => {
  const fives = [
    new Int32(5),
    Long.fromNumber(5),
    new Double(5),
    Decimal128.fromString('5'),
    Decimal128.fromString('5.00'),
  ];
  expect(new Set(fives.map(idHash)).size).toBe(1);
  expect(new Set(fives.map((five) => idHash({ a: [five] }))).size).toBe(1);
  expect(idHash(new Double(-0))).toBe(idHash(new Int32(0)));
  expect(idHash(Decimal128.fromString('-1.5E+3'))).toBe(idHash(new Double(-1500)));
  expect(idHash(Decimal128.fromString('-Infinity'))).toBe(idHash(new Double(-Infinity)));
  expect(idHash(Decimal128.fromString('NaN'))).toBe(idHash(new Double(Number.NaN)));
  const big = '9007199254740994';
  expect(idHash(Decimal128.fromString(big))).toBe(idHash(Long.fromString(big)));
  expect(idHash(new Int32(5))).not.toBe(idHash(new Int32(6)));
});

test.each<[string, (i: number) => unknown]>([
  ['int32', (i) => new Int32(i)],
  ['int64', (i) => Long.fromNumber(i * 2 ** 20)],
  ['double', (i) => new Double(i / 8)],
  ['date', (i) => new Date(i * 1000)],
  ['uuid', (i) => new Binary(Buffer.from(String(i).padStart(16, '0')), 4)],
  ['document', (i) => ({ tenant: 'a', n: i })],
])('an _id of type %s is spread evenly over 8 lanes', (_, make) => {
  const counts = Array.from({ length: 8 }, () => 0);
  for (let i = 0; i < 8000; i++) counts[idHash(make(i)) % 8]++;
  expect(Math.min(...counts)).toBeGreaterThan(850);
  expect(Math.max(...counts)).toBeLessThan(1150);
});
