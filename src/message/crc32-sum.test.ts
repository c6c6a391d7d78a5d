import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { tableCrc32 } from './crc32.ts';
import { Crc32Sum } from './crc32-sum.ts';

const bytes = randomBytes(64 * 1024).subarray(3);

type Part = readonly [start: number, length: number];

function sumOf(sum: Crc32Sum, parts: readonly Part[]): number {
  for (const [start, length] of parts) sum.add(bytes, start, start + length);
  return sum.take();
}

function oneByOne(parts: readonly Part[]): number {
  return parts.reduce((all, [start, length]) => (all ^ tableCrc32(bytes, start, start + length)) >>> 0, 0);
}

test('it is the exclusive or of the CRC-32s, for all lengths and alignments', () => {
  const sum = new Crc32Sum();
  for (let length = 0; length < 40; length++) {
    const part: Part = [length % 5, length];
    expect(sumOf(sum, [part])).toBe(oneByOne([part]));
  }
  const many = Array.from({ length: 500 }, (_, i): Part => [i * 7, (i * 13) % 1500]);
  expect(sumOf(sum, many)).toBe(oneByOne(many));
});

test('long strings count among short ones', () => {
  const parts: Part[] = [
    [1, 16 * 1024],
    [2, 16 * 1024 + 1],
    [0, 60_000],
    [5, 10],
  ];
  expect(sumOf(new Crc32Sum(), parts)).toBe(oneByOne(parts));
});

test('a new sum begins with nothing, and nothing is 0', () => {
  const sum = new Crc32Sum();
  sumOf(sum, [[0, 5000]]);
  expect(sum.take()).toBe(0);
  expect(sumOf(sum, [[8, 16]])).toBe(oneByOne([[8, 16]]));
});

test('strings may come from different buffers', () => {
  const sum = new Crc32Sum();
  const other = Buffer.from('other');
  sum.add(bytes, 0, 100);
  sum.add(other, 1, 5);
  sum.add(bytes, 7, 9);
  const expected = tableCrc32(bytes, 0, 100) ^ tableCrc32(other, 1, 5) ^ tableCrc32(bytes, 7, 9);
  expect(sum.take()).toBe(expected >>> 0);
});
