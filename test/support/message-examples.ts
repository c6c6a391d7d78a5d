import { Binary, Decimal128, Long, ObjectId, serialize, Timestamp, type Document } from 'bson';
import type { Compressor } from '../../src/message/compressor.ts';
import { createEntryEncoder, type JsonFormat } from '../../src/message/create-entry-encoder.ts';
import { RawTag } from '../../src/message/raw-message.ts';
import { RawMessageWriter } from '../../src/message/raw-message-writer.ts';
import { EntryHeader, scanEntryHeader } from '../../src/oplog/entry-header.ts';
import { TransactionOperations, type OperationVersion } from '../../src/oplog/transaction-operations.ts';
import { ByteWriter } from '../../src/shared/byte-writer.ts';

const ID = new ObjectId('5e4fa224a6717632d6ee2e85');
const UI = new Binary(Buffer.from('20d9f949cfc7496ea80e32ba633701a8', 'hex'), Binary.SUBTYPE_UUID);
const SECONDS = 1_582_277_156;
const WALL = new Date('2020-02-21T09:25:56.570Z');

/** The entry of docs/message-format.md, as MongoDB 6.0 writes it. */
export const exampleEntry = Buffer.from(
  serialize({
    op: 'i',
    ns: 'shop.orders',
    ui: UI,
    o: {
      _id: ID,
      customer: 'Ann',
      lines: 2,
      views: Long.fromString('9007199254740993'),
      total: Decimal128.fromString('19.90'),
      weight: 1.5,
      at: WALL,
    },
    o2: { _id: ID },
    ts: new Timestamp({ t: SECONDS, i: 1 }),
    t: Long.fromNumber(1),
    v: Long.fromNumber(2),
    wall: WALL,
  }),
);

/** A transaction of two operations, as it lies in the oplog. */
const transaction: Document = {
  lsid: { id: UI },
  txnNumber: Long.fromNumber(4),
  op: 'c',
  ns: 'admin.$cmd',
  o: {
    applyOps: [
      { op: 'i', ns: 'shop.orders', ui: UI, o: { _id: 1, total: 5 }, o2: { _id: 1 } },
      { op: 'u', ns: 'shop.stock', ui: UI, o: { $v: 2, diff: { u: { left: 7 } } }, o2: { _id: 'tea' } },
    ],
  },
  ts: new Timestamp({ t: SECONDS, i: 9 }),
  t: Long.fromNumber(1),
  v: Long.fromNumber(2),
  wall: WALL,
};

/** What the page shows, by the name of its example, made by the real encoders. */
export function messageExamples(): Map<string, string> {
  return new Map([
    ['json default', json(exampleEntry, '')],
    ['json canonical', json(exampleEntry, 'canonical_extended_json')],
    ['json relaxed', json(exampleEntry, 'relaxed_extended_json')],
    ['json plain', json(exampleEntry, 'plain')],
    [
      'transaction',
      operationsOf(transaction, 'mongoshake')
        .map((operation) => json(operation, 'plain'))
        .join('\n'),
    ],
    [
      'raw header',
      exampleRawMessage()
        .subarray(0, 24)
        .toString('hex')
        .replaceAll(/(.{8})(?!$)/g, '$1 '),
    ],
  ]);
}

/** A raw message of two entries from lane 3: the example, and the first operation of the transaction. */
export function exampleRawMessage(compressor: Compressor = 'none'): Buffer {
  const out = new ByteWriter();
  const writer = new RawMessageWriter({ compressor });
  writer.begin(out, { tag: RawTag.persistent, shard: 3 });
  writer.append(exampleEntry);
  writer.append(operationsOf(transaction, 'parent')[0]);
  writer.finish();
  return Buffer.from(out.view());
}

function operationsOf(entry: Document, version: OperationVersion): Buffer[] {
  const header = scanned(Buffer.from(serialize(entry)));
  const operations = new TransactionOperations({ version });
  operations.begin(header);
  operations.read(header, { last: true });
  const found: Buffer[] = [];
  for (let out = new ByteWriter(); operations.next(out); out = new ByteWriter()) {
    found.push(Buffer.from(out.view()));
  }
  return found;
}

function json(entry: Buffer, jsonFormat: JsonFormat): string {
  const out = new ByteWriter();
  createEntryEncoder({ message: 'json', jsonFormat, timeZone: 'UTC' }).encode(scanned(entry), out);
  return out.view().toString();
}

function scanned(entry: Buffer): EntryHeader {
  const header = new EntryHeader();
  scanEntryHeader(header, entry, 0);
  return header;
}
