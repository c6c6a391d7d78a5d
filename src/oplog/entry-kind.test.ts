import { readFileSync } from 'node:fs';
import { Binary, Long, Timestamp, serialize, type Document } from 'bson';
import { expect, test } from 'vitest';
import { EntryHeader, scanEntryHeader } from './entry-header.ts';
import { classifyEntry, EntryKind } from './entry-kind.ts';

function kindOfBytes(bytes: Buffer): string | undefined {
  const header = new EntryHeader();
  scanEntryHeader(header, bytes, 0);
  const kind = classifyEntry(header);
  return Object.entries(EntryKind).find(([, value]) => value === kind)?.[0];
}

function kindOf(entry: Document): string | undefined {
  return kindOfBytes(
    Buffer.from(serialize({ ts: new Timestamp({ t: 10, i: 2 }), ns: 'admin.$cmd', ...entry })),
  );
}

const session = {
  lsid: { id: new Binary(Buffer.alloc(16), 4), uid: new Binary(Buffer.alloc(32)) },
  txnNumber: Long.fromNumber(3),
};
const none = { ts: new Timestamp({ t: 0, i: 0 }), t: Long.fromNumber(-1) };
const linked = { ts: new Timestamp({ t: 10, i: 1 }), t: Long.fromNumber(1) };
const applyOps = [{ op: 'i', ns: 'a.b', o: { _id: 1 } }];

test.each<[string, string, Document]>([
  ['an insert', 'dml', { op: 'i', ns: 'a.b', o: {} }],
  ['an insert into a collection that only ends like it', 'dml', { op: 'i', ns: 'a.xsystem.indexes', o: {} }],
  ['an insert into system.indexes', 'ddl', { op: 'i', ns: 'a.system.indexes', o: {} }],
  ['a noop', 'noop', { op: 'n', ns: '', o: {} }],
  ['a command', 'ddl', { op: 'c', o: { drop: 'x' } }],
  ['a command that only begins like it', 'ddl', { op: 'c', o: { applyOpsX: 1 } }],
  ['a command without o', 'ddl', { op: 'c' }],
  ['an op of two letters', 'unknown', { op: 'ci', o: {} }],
  ['batched deletes', 'plainApplyOps', { op: 'c', o: { applyOps } }],
  [
    'a vectored write',
    'retryableApplyOps',
    { ...session, op: 'c', o: { applyOps }, multiOpType: 1, prevOpTime: linked },
  ],
  [
    'an atomic vectored write',
    'wholeTransaction',
    { ...session, op: 'c', o: { applyOps }, multiOpType: 2, prevOpTime: none },
  ],
  ['a transaction of 4.0', 'wholeTransaction', { ...session, op: 'c', o: { applyOps }, prevOpTime: none }],
  ['a transaction without prevOpTime', 'wholeTransaction', { ...session, op: 'c', o: { applyOps } }],
  ['a part', 'transactionPart', { ...session, op: 'c', o: { applyOps, partialTxn: true }, prevOpTime: none }],
  [
    'the last part',
    'lastTransactionPart',
    { ...session, op: 'c', o: { applyOps, count: 2 }, prevOpTime: linked },
  ],
  [
    'a part of a large batched write',
    'transactionPart',
    { op: 'c', o: { applyOps, partialTxn: true }, prevOpTime: none },
  ],
  [
    'the last of a large batched write',
    'lastTransactionPart',
    { op: 'c', o: { applyOps, count: 2 }, prevOpTime: linked },
  ],
  ['a prepare', 'prepare', { ...session, op: 'c', o: { applyOps, prepare: true }, prevOpTime: none }],
  [
    'a prepare after parts',
    'prepare',
    { ...session, op: 'c', o: { applyOps, prepare: true, count: 2 }, prevOpTime: linked },
  ],
  ['a commit', 'commitPrepared', { ...session, op: 'c', o: { commitTransaction: 1 }, prevOpTime: linked }],
  ['an abort', 'abort', { ...session, op: 'c', o: { abortTransaction: 1 }, prevOpTime: linked }],
])('%s is %s', (_, kind, entry) => {
  expect(kindOf(entry)).toBe(kind);
});

test('the entries of a real mongod 6.0.5 are told apart', () => {
  const file = new URL('../../test/vectors/oplog-entries-6.0.json', import.meta.url);
  const {
    entries,
  }: {
    entries: { entry: Document; hex: string }[];
  } = JSON.parse(readFileSync(file, 'utf8'));
  const kinds = new Map<string, number>();
  for (const { hex } of entries) {
    const kind = String(kindOfBytes(Buffer.from(hex, 'hex')));
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  expect(Object.fromEntries(kinds)).toEqual({
    dml: 10,
    ddl: 13,
    wholeTransaction: 2,
    transactionPart: 2,
    lastTransactionPart: 1,
    prepare: 3,
    commitPrepared: 2,
    abort: 1,
  });
});
