import { readInt32 } from '../../src/bson/read-value.ts';
import { EntryHeader, scanEntryHeader } from '../../src/oplog/entry-header.ts';

/** What a numbered test entry says of itself. */
export interface NumberedEntry {
  readonly lane: number;
  readonly number: number;
}

export interface MadeEntry extends NumberedEntry {
  /** Length of its text, default 40, and what that consists of, default x. */
  readonly padBytes?: number;
  readonly pad?: string;
}

/** An oplog entry as bytes: an insert of `{ lane, n, pad }`, whose timestamp's increment is its number. */
export function makeEntry(entry: MadeEntry): Buffer {
  const pad = Buffer.alloc(entry.padBytes ?? 40, entry.pad ?? 'x');
  const object = document([
    element(0x10, 'lane', int32(entry.lane)),
    element(0x10, 'n', int32(entry.number)),
    element(0x02, 'pad', text(pad)),
  ]);
  return document([
    element(0x11, 'ts', Buffer.concat([int32(entry.number), int32(1_582_277_156)])),
    element(0x12, 't', Buffer.concat([int32(1), int32(0)])),
    element(0x02, 'op', text(Buffer.from('i'))),
    element(0x02, 'ns', text(Buffer.from('shop.orders'))),
    element(0x03, 'o', object),
  ]);
}

/** The same entry, scanned, as a lane takes it. */
export function makeHeader(entry: MadeEntry): EntryHeader {
  return headerOf(makeEntry(entry));
}

export function headerOf(bytes: Buffer): EntryHeader {
  const header = new EntryHeader();
  scanEntryHeader(header, bytes, 0);
  return header;
}

/** Reads back what {@link makeEntry} wrote. */
export function readEntry(bytes: Buffer): NumberedEntry {
  const { oAt } = headerOf(bytes);
  const laneAt = oAt + 4 + '\u0010lane\0'.length;
  return { lane: readInt32(bytes, laneAt), number: readInt32(bytes, laneAt + 4 + '\u0010n\0'.length) };
}

/** BSON documents that lie one after the other; `torn` is what follows the last whole one. */
export function splitDocuments(bytes: Buffer): { documents: Buffer[]; torn: Buffer } {
  const documents: Buffer[] = [];
  let at = 0;
  while (at + 4 <= bytes.length && at + readInt32(bytes, at) <= bytes.length) {
    const end = at + readInt32(bytes, at);
    documents.push(bytes.subarray(at, end));
    at = end;
  }
  return { documents, torn: bytes.subarray(at) };
}

function element(type: number, name: string, value: Buffer): Buffer {
  return Buffer.concat([Buffer.from([type]), Buffer.from(`${name}\0`), value]);
}

function document(elements: readonly Buffer[]): Buffer {
  const body = Buffer.concat(elements);
  return Buffer.concat([int32(body.length + 5), body, Buffer.alloc(1)]);
}

function text(bytes: Buffer): Buffer {
  return Buffer.concat([int32(bytes.length + 1), bytes, Buffer.alloc(1)]);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
