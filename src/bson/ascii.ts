/** The bytes of a text that is ASCII, to be copied into output with {@link putAscii}. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

/** Writes all of `preset` at `at`, where there is room for it. @returns the offset after it. */
export function putAscii(target: Buffer, at: number, preset: Uint8Array): number {
  for (let i = 0; i < preset.length; i++) target[at + i] = preset[i];
  return at + preset.length;
}

/** Writes a short ASCII string at `at`. @returns the offset after it. */
export function putAsciiString(target: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}
