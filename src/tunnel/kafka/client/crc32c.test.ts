import { expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';

// RFC 3720, B.4, and the check value of the CRC catalogue.
test.each([
  [Buffer.alloc(32), 0x8a9136aa],
  [Buffer.alloc(32, 0xff), 0x62a8ab43],
  [Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
  [Buffer.from('..123456789').subarray(2), 0xe3069283],
])('gives the published sums', (bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
});
