import type { ByteWriter } from '../shared/byte-writer.ts';

/** The bytes of a text that is ASCII, to be copied into output with {@link putAscii}. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/**
 * Writes all of `preset` at `at`, where there is room for it. Four bytes a turn, as this is much of the time that an
 * entry takes.
 * @returns the offset after it.
 */
export function putAscii(target: Buffer, at: number, preset: Uint8Array): number {
  const length = preset.length;
  let i = 0;
  for (; i + 4 <= length; i += 4) {
    target[at + i] = preset[i];
    target[at + i + 1] = preset[i + 1];
    target[at + i + 2] = preset[i + 2];
    target[at + i + 3] = preset[i + 3];
  }
  for (; i < length; i++) target[at + i] = preset[i];
  return at + length;
}

/** Appends all of `preset`: for a few bytes the loop is several times faster than `ByteWriter.append`. */
export function appendAscii(out: ByteWriter, preset: Uint8Array): void {
  out.ensure(preset.length);
  out.length = putAscii(out.bytes, out.length, preset);
}

/** Writes a short ASCII string at `at`. @returns the offset after it. */
export function putAsciiString(target: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}
