/** Writes an unsigned integer at `at`; there must be room for 9 bytes. @returns where the next byte goes */
export function writeUint(bytes: Buffer, at: number, value: number): number {
  if (value < 0x80) {
    bytes[at] = value;
    return at + 1;
  }
  const width = uintWidth(value) - 1;
  bytes[at] = 0x100 - width;
  let rest = value;
  for (let i = width; i > 0; i--) {
    bytes[at + i] = rest % 0x100;
    rest = Math.floor(rest / 0x100);
  }
  return at + 1 + width;
}

/** How many bytes {@link writeUint} takes. */
export function uintWidth(value: number): number {
  if (value < 0x80) return 1;
  let width = 2;
  for (let rest = value; rest >= 0x100; rest = Math.floor(rest / 0x100)) width++;
  return width;
}

/** A signed 64-bit integer as gob writes it. */
export function encodeInt64(value: bigint): Buffer {
  let unsigned = BigInt.asUintN(64, value < 0n ? (~value << 1n) | 1n : value << 1n);
  if (unsigned < 0x80n) return Buffer.from([Number(unsigned)]);
  const bytes: number[] = [];
  for (; unsigned > 0n; unsigned >>= 8n) bytes.unshift(Number(unsigned & 0xffn));
  return Buffer.from([0x100 - bytes.length, ...bytes]);
}

/** A gob message: its length and its body. */
export function gobMessage(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(uintWidth(body.length));
  writeUint(length, 0, body.length);
  return Buffer.concat([length, body]);
}

/** A string or byte string: its length and its bytes. */
export function gobText(text: string): Buffer {
  return gobMessage(Buffer.from(text));
}

export function gobUint(value: number): Buffer {
  const bytes = Buffer.alloc(uintWidth(value));
  writeUint(bytes, 0, value);
  return bytes;
}
