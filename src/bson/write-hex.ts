/** The two lower-case hex digits of each byte, one after the other. */
export const HEX_DIGITS = new Uint8Array(512);
for (let i = 0; i < 256; i++) {
  HEX_DIGITS[i * 2] = i.toString(16).padStart(2, '0').charCodeAt(0);
  HEX_DIGITS[i * 2 + 1] = i.toString(16).padStart(2, '0').charCodeAt(1);
}

/** Writes `bytes[from, end)` as hex at `at`, where there is room. @returns the offset after it. */
export function putHex(target: Buffer, at: number, bytes: Uint8Array, from: number, end: number): number {
  let to = at;
  for (let i = from; i < end; i++) {
    const digit = bytes[i] << 1;
    target[to] = HEX_DIGITS[digit];
    target[to + 1] = HEX_DIGITS[digit + 1];
    to += 2;
  }
  return to;
}
