import { describe, expect, test } from 'vitest';
import { EntryHeader } from '../../../oplog/entry-header.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import { EntryHeadersWriter, writeMessageHeaders } from './record-headers.ts';

interface Entry {
  readonly seconds?: number;
  readonly increment?: number;
  readonly index?: number;
  /** One letter, or two as newer servers have. */
  readonly op?: string;
  readonly ns?: string;
}

const usual = { seconds: 1_582_277_156, increment: 1, index: 0, op: 'i', ns: 'shop.orders' };

function headerOf(entry: Entry): EntryHeader {
  const { seconds, increment, index, op, ns } = { ...usual, ...entry };
  const text = Buffer.from(`${op}\0`);
  const opLength = Buffer.alloc(4);
  opLength.writeInt32LE(text.length);
  const header = new EntryHeader();
  // A byte in front, so that nothing lies at 0, which means absent.
  header.bytes = Buffer.concat([Buffer.alloc(1), opLength, text, Buffer.from(ns)]);
  header.seconds = seconds;
  header.committedIncrement = increment;
  header.operationIndex = index;
  header.opAt = 1;
  header.op = op.length === 1 ? op.charCodeAt(0) : 0;
  header.nsStart = header.bytes.length - Buffer.byteLength(ns);
  header.nsEnd = header.bytes.length;
  return header;
}

function expected(entry: Entry): Array<[string, string]> {
  const { seconds, increment, index, op, ns } = { ...usual, ...entry };
  return [
    ['oplogue.position', `${seconds}:${increment}`],
    ['oplogue.index', String(index)],
    ['oplogue.op', op],
    ['oplogue.ns', ns],
  ];
}

/** Reads the headers of one record, and checks that nothing lies behind them. */
function parse(bytes: Buffer): Array<[string, string]> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return value >>> 1;
    }
  };
  const text = (): string => {
    const length = varint();
    at += length;
    return bytes.toString('utf8', at - length, at);
  };
  const headers = Array.from({ length: varint() }, (): [string, string] => [text(), text()]);
  expect(at).toBe(bytes.length);
  return headers;
}

function written(entries: readonly Entry[]): Array<Array<[string, string]>> {
  const writer = new EntryHeadersWriter();
  return entries.map((entry) => {
    const out = new ByteWriter(1);
    out.append(Buffer.from('before'));
    writer.write(out, headerOf(entry));
    return parse(out.view().subarray('before'.length));
  });
}

describe('headers of an entry', () => {
  test('are right whatever the entry before them had', () => {
    const variants: Entry[] = [
      {},
      { increment: 9 },
      { increment: 10 },
      { increment: 4_294_967_295 },
      { seconds: 1_582_277_157 },
      { seconds: 4_294_967_295, increment: 99 },
      { index: 1 },
      { index: 1_000_000, increment: 2 },
      { op: 'u' },
      { op: 'ci' },
      { op: 'km', ns: 'shop.$cmd' },
      { ns: 'shop.carts!' },
      { ns: 'shop.ordersX' },
      { ns: 'größe.maße' },
      { ns: `long.${'n'.repeat(300)}` },
    ];
    const entries = variants.flatMap((one) => variants.flatMap((other) => [one, other]));
    expect(written(entries)).toEqual(entries.map((entry) => expected(entry)));
  });

  test('of neighbours keep their letters apart', () => {
    const entries = Array.from({ length: 3000 }, (_, i) => ({ increment: i, op: 'iud'[i % 3] }));
    expect(written(entries)).toEqual(entries.map((entry) => expected(entry)));
  });

  test('do not change what was written before', () => {
    const writer = new EntryHeadersWriter();
    const out = new ByteWriter(1);
    writer.write(out, headerOf({ increment: 5 }));
    const first = Buffer.from(out.view());
    writer.write(out, headerOf({ increment: 6, op: 'd' }));
    expect(out.view().subarray(0, first.length)).toEqual(first);
  });
});

test('headers of a raw message name the place of its last entry and how many it has', () => {
  const out = new ByteWriter(1);
  writeMessageHeaders(out, { seconds: 1_582_277_156, committedIncrement: 20 }, 4096);
  expect(parse(out.view())).toEqual([
    ['oplogue.position', '1582277156:20'],
    ['oplogue.count', '4096'],
  ]);
});
