import { expect, test } from 'vitest';
import { murmur2, partitionOfKey } from './murmur2.ts';

// The cases of Kafka's own UtilsTest.testMurmur2.
const cases: ReadonlyArray<[text: string, hash: number]> = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

test.each(cases)('hashes "%s" as Kafka does', (text, hash) => {
  const bytes = Buffer.from(`..${text}..`);
  expect(murmur2(bytes, 2, bytes.length - 2)).toBe(hash);
});

test('makes a negative hash positive as Kafka does, by dropping its sign', () => {
  expect(partitionOfKey(Buffer.from('21'), 2, 1000)).toBe((-973932308 & 0x7fffffff) % 1000);
});
