import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { crc32cCombine } from './crc32c-combine.ts';
import { crc32c } from './crc32c.ts';

test.each([0, 1, 40, 61, 4096, 524_247, 1_048_577])(
  'the checksum of 40 bytes and %d bytes behind them is that of both together',
  (length) => {
    const whole = randomBytes(40 + length);
    const combined = crc32cCombine(crc32c(whole.subarray(0, 40)), crc32c(whole.subarray(40)), length);
    expect(combined).toBe(crc32c(whole));
  },
);
