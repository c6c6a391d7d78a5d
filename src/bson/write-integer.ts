import { putAsciiString } from './ascii.ts';
import { readInt32 } from './read-value.ts';

/** The decimal digits of 0..99, two bytes each. */
const TWO_DIGITS = new Uint8Array(200);
for (let i = 0; i < 100; i++) {
  TWO_DIGITS[i * 2] = 0x30 + Math.floor(i / 10);
  TWO_DIGITS[i * 2 + 1] = 0x30 + (i % 10);
}
const ZERO = 0x30;
const MINUS = 0x2d;
const TWO_POW_32 = 2 ** 32;
/** Upper word of the numbers from which on a double no longer holds every integer. */
const SAFE_HIGH_WORD = 2 ** 21;

/** Writes exactly two digits of `value` (0..99). @returns the offset after them. */
export function putTwoDigits(target: Buffer, at: number, value: number): number {
  target[at] = TWO_DIGITS[value * 2];
  target[at + 1] = TWO_DIGITS[value * 2 + 1];
  return at + 2;
}

/** Writes a whole number, 0 <= value <= 2^53, in decimal. @returns the offset after it. */
export function putUnsigned(target: Buffer, at: number, value: number): number {
  if (value < 0x7fffffff) return putUnsigned31(target, at, value | 0);
  const high = Math.floor(value / 1e8);
  return putEightDigits(target, putUnsigned(target, at, high), (value - high * 1e8) | 0);
}

/** Writes a signed 32-bit number. @returns the offset after it. */
export function putInt32(target: Buffer, at: number, value: number): number {
  if (value >= 0) return putUnsigned(target, at, value);
  target[at] = MINUS;
  return putUnsigned(target, at + 1, -value);
}

/** Writes the little-endian signed 64-bit number that lies at `from`. @returns the offset after it. */
export function putInt64(target: Buffer, at: number, bytes: Uint8Array, from: number): number {
  const low = readInt32(bytes, from);
  const high = readInt32(bytes, from + 4);
  if (high === low >> 31) return putInt32(target, at, low);
  if (high >= -SAFE_HIGH_WORD && high < SAFE_HIGH_WORD) {
    const value = high * TWO_POW_32 + (low >>> 0);
    if (value >= 0) return putUnsigned(target, at, value);
    target[at] = MINUS;
    return putUnsigned(target, at + 1, -value);
  }
  return putAsciiString(target, at, String((BigInt(high) << 32n) | BigInt(low >>> 0)));
}

/** Whether |value| <= 2^53 - 1, so that every JSON reader keeps it exact. */
export function isSafeInt64(bytes: Uint8Array, from: number): boolean {
  const high = readInt32(bytes, from + 4);
  if (high >= -SAFE_HIGH_WORD + 1 && high < SAFE_HIGH_WORD) return true;
  return high === -SAFE_HIGH_WORD && readInt32(bytes, from) !== 0;
}

function putUnsigned31(target: Buffer, at: number, value: number): number {
  if (value < 10) {
    target[at] = ZERO + value;
    return at + 1;
  }
  if (value < 100) return putTwoDigits(target, at, value);
  const end = at + countDigits(value);
  let to = end;
  let rest = value;
  while (rest >= 100) {
    const higher = (rest / 100) | 0;
    const pair = (rest - higher * 100) << 1;
    to -= 2;
    target[to] = TWO_DIGITS[pair];
    target[to + 1] = TWO_DIGITS[pair + 1];
    rest = higher;
  }
  if (rest < 10) target[at] = ZERO + rest;
  else putTwoDigits(target, at, rest);
  return end;
}

function putEightDigits(target: Buffer, at: number, value: number): number {
  const high = (value / 10_000) | 0;
  const low = value - high * 10_000;
  const a = (high / 100) | 0;
  const b = (low / 100) | 0;
  putTwoDigits(target, at, a);
  putTwoDigits(target, at + 2, high - a * 100);
  putTwoDigits(target, at + 4, b);
  return putTwoDigits(target, at + 6, low - b * 100);
}

function countDigits(value: number): number {
  if (value < 10_000) return value < 1000 ? 3 : 4;
  if (value < 1_000_000) return value < 100_000 ? 5 : 6;
  if (value < 100_000_000) return value < 10_000_000 ? 7 : 8;
  return value < 1_000_000_000 ? 9 : 10;
}
