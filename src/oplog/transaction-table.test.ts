import { readFileSync } from 'node:fs';
import { Binary, deserialize, Long, serialize, Timestamp, type Document } from 'bson';
import { expect, test } from 'vitest';
import { ByteWriter } from '../shared/byte-writer.ts';
import { EntryHeader, scanEntryHeader } from './entry-header.ts';
import { classifyEntry, EntryKind } from './entry-kind.ts';
import { positionOf } from './position.ts';
import { TransactionOperations } from './transaction-operations.ts';
import { TransactionTable } from './transaction-table.ts';

/** An entry at second `at` whose `prevOpTime` names second `previous`; session 0 stands for none. */
function entry(at: number, options: { previous: number; session: number; txnNumber?: number }): EntryHeader {
  const { previous, session, txnNumber = 1 } = options;
  const document: Document = {
    op: 'c',
    ns: 'admin.$cmd',
    o: { applyOps: [] },
    ts: new Timestamp({ t: at, i: 1 }),
    prevOpTime: { ts: new Timestamp({ t: previous, i: previous === 0 ? 0 : 1 }), t: Long.fromNumber(1) },
  };
  if (session !== 0) {
    document['lsid'] = { id: new Binary(Buffer.alloc(16, session), 4) };
    document['txnNumber'] = Long.fromNumber(txnNumber);
  }
  const header = new EntryHeader();
  scanEntryHeader(header, Buffer.from(serialize(document)), 0);
  return header;
}
const at = (second: number): bigint => positionOf(second, 1);

test('parts of interleaved transactions are kept apart and in order', () => {
  const table = new TransactionTable();
  table.note(entry(1, { previous: 0, session: 1 }), { prepare: false });
  table.note(entry(2, { previous: 0, session: 2 }), { prepare: false });
  table.note(entry(3, { previous: 1, session: 1 }), { prepare: false });
  expect(table.take(entry(4, { previous: 3, session: 1 }))).toEqual({
    positions: [at(1), at(3)],
    complete: true,
    continueAt: undefined,
  });
  expect(table.take(entry(5, { previous: 2, session: 2 })).positions).toEqual([at(2)]);
  expect(table.size).toBe(0);
});

test('I6: the oldest open transaction is known until it ends', () => {
  const table = new TransactionTable();
  expect(table.oldestOpen).toBeUndefined();
  table.note(entry(1, { previous: 0, session: 1 }), { prepare: true });
  table.note(entry(2, { previous: 0, session: 2 }), { prepare: false });
  expect(table.oldestOpen).toBe(at(1));
  expect(table.abort(entry(3, { previous: 1, session: 1 }))).toBe(true);
  expect(table.oldestOpen).toBe(at(2));
  table.take(entry(4, { previous: 2, session: 2 }));
  expect(table.oldestOpen).toBeUndefined();
});

test('when reading began in the middle, the table says where to go on looking', () => {
  const table = new TransactionTable();
  table.note(entry(5, { previous: 4, session: 1 }), { prepare: false });
  expect(table.take(entry(6, { previous: 5, session: 1 }))).toEqual({
    positions: [at(5)],
    complete: false,
    continueAt: at(4),
  });
  expect(table.take(entry(9, { previous: 8, session: 3 }))).toEqual({
    positions: [],
    complete: false,
    continueAt: at(8),
  });
});

test('parts that do not lead to the commit are not trusted', () => {
  const table = new TransactionTable();
  table.note(entry(1, { previous: 0, session: 1 }), { prepare: false });
  expect(table.take(entry(4, { previous: 3, session: 1 }))).toEqual({
    positions: [],
    complete: false,
    continueAt: at(3),
  });
});

test('an entry that is read twice is noted once', () => {
  const table = new TransactionTable();
  for (const second of [1, 2, 1, 2]) {
    table.note(entry(second, { previous: second - 1, session: 1 }), { prepare: false });
  }
  expect(table.take(entry(3, { previous: 2, session: 1 })).positions).toEqual([at(1), at(2)]);
});

test('a newer transaction of a session drops an older open one, but never a prepared one', () => {
  const table = new TransactionTable();
  table.note(entry(1, { previous: 0, session: 1 }), { prepare: false });
  table.note(entry(2, { previous: 0, session: 2 }), { prepare: true });
  table.supersede(entry(3, { previous: 0, session: 1, txnNumber: 2 }));
  table.supersede(entry(4, { previous: 0, session: 2, txnNumber: 2 }));
  expect(table.size).toBe(1);
  expect(table.oldestOpen).toBe(at(2));
});

test('large batched writes, which have no session, are followed by their chain', () => {
  const table = new TransactionTable();
  table.note(entry(1, { previous: 0, session: 0 }), { prepare: false });
  table.note(entry(2, { previous: 0, session: 0 }), { prepare: false });
  table.note(entry(3, { previous: 1, session: 0 }), { prepare: false });
  table.note(entry(3, { previous: 1, session: 0 }), { prepare: false });
  expect(table.take(entry(4, { previous: 3, session: 0 })).positions).toEqual([at(1), at(3)]);
  expect(table.oldestOpen).toBe(at(2));
});

test('the transactions of a real mongod 6.0.5 come out whole, and the aborted one not at all', () => {
  const file = new URL('../../test/vectors/oplog-entries-6.0.json', import.meta.url);
  const { entries }: { entries: { hex: string }[] } = JSON.parse(readFileSync(file, 'utf8'));
  const table = new TransactionTable();
  const operations = new TransactionOperations({ version: 'parent' });
  const byPosition = new Map<bigint, EntryHeader>();
  const out = new ByteWriter();
  const seen: string[] = [];
  for (const { hex } of entries) {
    const header = new EntryHeader();
    scanEntryHeader(header, Buffer.from(hex, 'hex'), 0);
    byPosition.set(header.position, header);
    const kind = classifyEntry(header);
    if (kind === EntryKind.transactionPart || kind === EntryKind.prepare) {
      table.note(header, { prepare: kind === EntryKind.prepare });
    } else if (kind === EntryKind.abort) table.abort(header);
    if (
      kind !== EntryKind.wholeTransaction &&
      kind !== EntryKind.lastTransactionPart &&
      kind !== EntryKind.commitPrepared
    )
      continue;
    const { positions, complete } = table.take(header);
    expect(complete).toBe(true);
    const parts = positions.map((position) => byPosition.get(position));
    if (kind !== EntryKind.commitPrepared) parts.push(header);
    operations.begin(header);
    parts.forEach((part, i) => {
      expect(part).toBeDefined();
      if (part === undefined) return;
      operations.read(part, { last: i === parts.length - 1 });
      for (out.length = 0; operations.next(out); out.length = 0) {
        const { op, o }: Document = deserialize(out.view());
        seen.push(`${op} ${String(o['_id'] ?? Object.keys(o)[0])}`);
      }
    });
  }
  expect(table.size).toBe(0);
  expect(seen).toEqual([
    ...['i 10', 'u $v', 'd k'],
    ...['c create', 'c createIndexes', 'i 1'],
    ...['i 100', 'i 101', 'i 102', 'i 103', 'i 104'],
    'i pcommit',
    ...['i big0', 'i big1', 'i big2', 'i big3'],
  ]);
});
