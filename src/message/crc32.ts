import * as zlib from 'node:zlib';

const POLYNOMIAL = 0xedb88320;
/** Below this length the table is faster than a call into zlib (measured on Node 20). */
const NATIVE_MIN_BYTES = 96;

const TABLE = new Int32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let k = 0; k < 8; k++) c = c & 1 ? POLYNOMIAL ^ (c >>> 1) : c >>> 1;
  TABLE[i] = c;
}

/** Node has it from 20.15 on; `import *` because a named import of what is missing would not load. */
const nativeCrc32: ((data: Uint8Array) => number) | undefined = zlib.crc32;

/** CRC-32 (IEEE 802.3, as in zlib) of `bytes[start, end)`, unsigned. */
export function crc32(bytes: Buffer, start: number, end: number): number {
  if (nativeCrc32 !== undefined && end - start >= NATIVE_MIN_BYTES)
    return nativeCrc32(bytes.subarray(start, end));
  return tableCrc32(bytes, start, end);
}

/** The same in plain JavaScript. */
export function tableCrc32(bytes: Buffer, start: number, end: number): number {
  let c = -1;
  for (let i = start; i < end; i++) c = TABLE[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}

/** The CRC-32 of a byte string that is longer by `byte`, from its CRC-32 without it. */
export function crc32Step(crc: number, byte: number): number {
  const c = ~crc;
  return ~(TABLE[(c ^ byte) & 0xff] ^ (c >>> 8)) >>> 0;
}
