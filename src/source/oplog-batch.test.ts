import { expect, test } from 'vitest';
import { positionOf, type Position } from '../oplog/position.ts';
import { dropFirst, extentOf, positionsIn } from './oplog-batch.ts';

/** The smallest thing that the scanner takes for an entry: `{ts, op: 'n', pad: <null> * n}`. */
function entry(position: Position, padding = 0): Buffer {
  const ts = Buffer.alloc(8);
  ts.writeBigUInt64LE(position);
  const body = Buffer.concat([
    Buffer.from('\x11ts\0', 'latin1'),
    ts,
    Buffer.from('\x02op\0\x02\0\0\0n\0', 'latin1'),
    Buffer.from('\x0apad\0'.repeat(padding), 'latin1'),
    Buffer.from([0]),
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 4);
  return Buffer.concat([length, body]);
}

function batch(...entries: Buffer[]): Buffer {
  const elements = entries.flatMap((bytes, i) => [Buffer.from(`\x03${i}\0`, 'latin1'), bytes]);
  const body = Buffer.concat([...elements, Buffer.from([0])]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 4);
  return Buffer.concat([Buffer.from('before'), length, body, Buffer.from('after')]);
}

const ARRAY_AT = 6;

test('the extent of a batch names its first and last position', () => {
  const bytes = batch(
    ...Array.from({ length: 12 }, (_, i) => entry(positionOf(4_000_000_000, 4_000_000_000 + i), i)),
  );
  expect(extentOf(bytes, ARRAY_AT)).toMatchObject({
    count: 12,
    first: positionOf(4_000_000_000, 4_000_000_000),
    last: positionOf(4_000_000_000, 4_000_000_011),
  });
});

test('an empty batch has no extent', () => {
  expect(extentOf(batch(), ARRAY_AT)).toBeUndefined();
});

test('the first entry is dropped in place', () => {
  const bytes = batch(entry(1n, 3), entry(2n), entry(3n, 9));
  const extent = extentOf(bytes, ARRAY_AT);
  const arrayAt = dropFirst(bytes, ARRAY_AT, extent?.firstEnd ?? 0);
  expect(positionsIn(bytes, arrayAt)).toEqual([2n, 3n]);
  expect(arrayAt + bytes.readInt32LE(arrayAt)).toBe(bytes.length - 'after'.length);
});

test('dropping the only entry leaves an empty batch', () => {
  const bytes = batch(entry(1n));
  const extent = extentOf(bytes, ARRAY_AT);
  expect(extentOf(bytes, dropFirst(bytes, ARRAY_AT, extent?.firstEnd ?? 0))).toBeUndefined();
});
