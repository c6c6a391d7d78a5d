import { readFileSync } from 'node:fs';
import { Binary, deserialize, EJSON, Long, serialize, Timestamp, type Document } from 'bson';
import { expect, test } from 'vitest';
import { ByteWriter } from '../shared/byte-writer.ts';
import { EntryHeader, scanEntryHeader } from './entry-header.ts';
import { MalformedEntryError } from './malformed-entry-error.ts';
import { TransactionOperations, type OperationVersion } from './transaction-operations.ts';

function scan(bytes: Uint8Array): EntryHeader {
  const header = new EntryHeader();
  scanEntryHeader(header, Buffer.from(bytes), 0);
  return header;
}

function entry(seconds: number, increment: number, o: Document): EntryHeader {
  return scan(
    serialize({
      op: 'c',
      ns: 'admin.$cmd',
      o,
      ts: new Timestamp({ t: seconds, i: increment }),
      t: Long.fromNumber(seconds),
      v: Long.fromNumber(2),
      wall: new Date(seconds * 1000),
    }),
  );
}

function take(
  parts: EntryHeader[],
  committing: EntryHeader,
  version: OperationVersion = 'parent',
): Document[] {
  const operations = new TransactionOperations({ version });
  operations.begin(committing);
  const out = new ByteWriter(16);
  const taken: Document[] = [];
  parts.forEach((part, i) => {
    const count = operations.read(part, { last: i === parts.length - 1 });
    const before = taken.length;
    for (;;) {
      out.length = 0;
      if (!operations.next(out)) break;
      scan(out.view());
      taken.push(deserialize(Buffer.from(out.view()), { promoteLongs: false }));
    }
    expect(taken.length - before).toBe(count);
  });
  return taken;
}
function parseJson(text: string): Document {
  const parsed: Document = JSON.parse(text);
  return parsed;
}
const insert = (id: unknown): Document => ({ op: 'i', ns: 'a.b', o: { _id: id } });
const times = (documents: { ts?: Timestamp }[]): string[] =>
  documents.map(({ ts }) => `${ts?.getHighBitsUnsigned()}:${ts?.getLowBitsUnsigned()}`);

test('the operations of an entry are those of MongoShake', () => {
  const file = new URL('../../test/vectors/apply-ops.json', import.meta.url);
  const vector: {
    input_hex: string;
    elements: { json_canonical: string }[];
  } = JSON.parse(readFileSync(file, 'utf8'));
  const header = scan(Buffer.from(vector.input_hex, 'hex'));
  const taken = take([header], header, 'mongoshake').map((document) =>
    parseJson(EJSON.stringify(document, { relaxed: false })),
  );
  // MongoShake's structure writes absent fields as null.
  const expected = vector.elements.map(({ json_canonical }) =>
    Object.fromEntries(Object.entries(parseJson(json_canonical)).filter(([, value]) => value !== null)),
  );
  expect(taken).toEqual(expected);
});

test('an operation has the version and wall clock of the entry that commits it', () => {
  const header = entry(10, 4, { applyOps: [insert(1)] });
  const [operation] = take([header], header);
  expect(Object.keys(operation ?? {})).toEqual(['ts', 't', 'v', 'op', 'ns', 'o', 'wall']);
  expect(operation).toMatchObject({ v: Long.fromNumber(2), wall: new Date(10_000) });
});

test('over several parts only the very last operation has the ts of the commit', () => {
  const parts = [
    entry(10, 1, { applyOps: [insert(1), insert(2)], partialTxn: true }),
    entry(10, 2, { applyOps: [insert(3), insert(4)], prepare: true }),
  ];
  const taken = take(parts, entry(12, 7, { commitTransaction: 1 }));
  expect(times(taken)).toEqual(['12:6', '12:6', '12:6', '12:7']);
  expect(taken).toMatchObject([1, 2, 3, 4].map((id) => ({ o: { _id: id } })));
});

test('an increment of 0 is kept, and one of 2^32-1 is no negative number', () => {
  const zero = entry(10, 0, { applyOps: [insert(1), insert(2)] });
  expect(times(take([zero], zero))).toEqual(['10:0', '10:0']);
  const large = entry(10, 0xffffffff, { applyOps: [insert(1), insert(2)] });
  expect(times(take([large], large))).toEqual(['10:4294967294', '10:4294967295']);
});

test('nested applyOps are flattened, noops left out, commands and fromMigrate kept', () => {
  const header = entry(10, 4, {
    applyOps: [
      insert(1),
      { op: 'c', ns: 'a.$cmd', o: { applyOps: [insert(2), { op: 'n', ns: '', o: {} }] } },
      { op: 'c', ns: 'a.$cmd', o: { create: 'x' }, ui: new Binary(Buffer.alloc(16), 4) },
      { ...insert(3), fromMigrate: true, stmtId: 4 },
      { op: 'c', ns: 'a.$cmd', o: { applyOps: [] } },
    ],
  });
  const taken = take([header], header);
  expect(taken).toMatchObject(['i', 'i', 'c', 'i'].map((op) => ({ op })));
  expect(taken[3]).toMatchObject({ fromMigrate: true });
  expect(times(taken)).toEqual(['10:3', '10:3', '10:3', '10:4']);
});

test('the same reader takes one transaction after the other', () => {
  const operations = new TransactionOperations({ version: 'parent' });
  const out = new ByteWriter();
  for (const ids of [[1, 2, 3], [4]]) {
    const header = entry(10, 4, { applyOps: ids.map(insert) });
    operations.begin(header);
    operations.read(header, { last: true });
    for (const id of ids) {
      out.length = 0;
      expect(operations.next(out)).toBe(true);
      expect(deserialize(out.view())).toMatchObject({ o: { _id: id } });
    }
    expect(operations.next(out)).toBe(false);
  }
});

let deep: Document = { applyOps: [insert(1)] };
for (let i = 0; i < 12; i++) deep = { applyOps: [{ op: 'c', ns: 'a.$cmd', o: deep }] };

test.each<[string, Document, string]>([
  ['no applyOps', { x: 1 }, 'o has no applyOps'],
  ['applyOps that is text', { applyOps: 'x' }, 'applyOps is not an array but of BSON type 2'],
  [
    'an element that is a number',
    { applyOps: [1] },
    'an element of applyOps is not a document but of BSON type 16',
  ],
  ['an operation without op', { applyOps: [{ ns: 'a.b', o: {} }] }, 'has no op'],
  ['an operation without ns', { applyOps: [{ op: 'i', o: {} }] }, 'has no ns'],
  ['an operation whose o is text', { applyOps: [{ op: 'i', ns: 'a.b', o: 'x' }] }, 'has no document o'],
  ['applyOps nested for ever', deep, 'nested too deep'],
])('%s is refused by name and ts', (_, o, message) => {
  const header = entry(10, 4, o);
  expect(() => take([header], header)).toThrow(MalformedEntryError);
  expect(() => take([header], header)).toThrow(message);
  expect(() => take([header], header)).toThrow('10:4');
});
