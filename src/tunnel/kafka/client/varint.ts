/** Bytes that the zigzag varint of a length (0 .. 2^30) takes. */
export function lengthWidth(value: number): number {
  if (value < 0x40) return 1;
  if (value < 0x2000) return 2;
  if (value < 0x10_0000) return 3;
  return value < 0x800_0000 ? 4 : 5;
}

/** Writes a zigzag varint of a signed 32-bit number; returns the offset after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  return writeUnsignedVarint(bytes, at, (value << 1) ^ (value >> 31));
}

/** Writes an unsigned varint; `value` is taken as 32 unsigned bits. Returns the offset after it. */
export function writeUnsignedVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let next = at;
  while ((rest & ~0x7f) !== 0) {
    bytes[next++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[next++] = rest;
  return next;
}

/** Writes a zigzag varint of an integer up to 2^53; returns the offset after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: number): number {
  if (value === (value | 0)) return writeVarint(bytes, at, value);
  let rest = BigInt.asUintN(64, value < 0 ? -2n * BigInt(value) - 1n : 2n * BigInt(value));
  let next = at;
  while (rest > 0x7fn) {
    bytes[next++] = Number(rest & 0x7fn) | 0x80;
    rest >>= 7n;
  }
  bytes[next++] = Number(rest);
  return next;
}
