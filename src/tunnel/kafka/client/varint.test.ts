import { describe, expect, test } from 'vitest';
import { lengthWidth, writeUnsignedVarint, writeVarint, writeVarlong } from './varint.ts';

function written(write: (bytes: Buffer) => number): string {
  const bytes = Buffer.alloc(16);
  return bytes.toString('hex', 0, write(bytes));
}

// The cases of Kafka's own ByteUtilsTest.
describe('a signed varint', () => {
  test.each([
    [0, '00'],
    [-1, '01'],
    [1, '02'],
    [63, '7e'],
    [-64, '7f'],
    [64, '8001'],
    [-65, '8101'],
    [8191, 'fe7f'],
    [8192, '808001'],
    [1048575, 'feff7f'],
    [134217727, 'feffff7f'],
    [2147483647, 'feffffff0f'],
    [-2147483648, 'ffffffff0f'],
  ])('writes %d as Kafka does', (value, hex) => {
    expect(written((bytes) => writeVarint(bytes, 0, value))).toBe(hex);
    expect(written((bytes) => writeVarlong(bytes, 0, value))).toBe(hex);
  });

  test.each([0, 63, 64, 8191, 8192, 1048575, 1048576, 134217727, 134217728])(
    'says beforehand how wide %d will be',
    (value) => {
      expect(lengthWidth(value) * 2).toBe(written((bytes) => writeVarint(bytes, 0, value)).length);
    },
  );
});

test.each([
  [17179869183, 'feffffff7f'],
  [17179869184, '808080808001'],
  [-17179869184, 'ffffffff7f'],
  [-17179869185, '818080808001'],
])('a long varint writes %d as Kafka does', (value, hex) => {
  expect(written((bytes) => writeVarlong(bytes, 0, value))).toBe(hex);
});

test.each([
  [0, '00'],
  [127, '7f'],
  [128, '8001'],
  [300, 'ac02'],
  [0xffffffff, 'ffffffff0f'],
])('an unsigned varint writes %d', (value, hex) => {
  expect(written((bytes) => writeUnsignedVarint(bytes, 0, value))).toBe(hex);
});
