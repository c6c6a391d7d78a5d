import type { ByteWriter } from '../shared/byte-writer.ts';

const WORD_BYTES = 4;

/** A text that is ASCII, made to be copied into output with {@link putAscii}. */
export class Ascii {
  readonly length: number;
  readonly bytes: Uint8Array;
  /** Its bytes four by four, without what is left over. */
  readonly words: Int32Array;
  /** Its last four bytes. */
  readonly lastWord: number;

  constructor(text: string) {
    const bytes = Buffer.from(text, 'latin1');
    this.length = bytes.length;
    this.bytes = Uint8Array.from(bytes);
    this.words = Int32Array.from({ length: bytes.length >> 2 }, (_, i) => bytes.readInt32LE(i * WORD_BYTES));
    this.lastWord = bytes.length < WORD_BYTES ? 0 : bytes.readInt32LE(bytes.length - WORD_BYTES);
  }
}

export function ascii(text: string): Ascii {
  return new Ascii(text);
}

/** The buffer written to last, and a view of it: an entry has dozens of presets, and all go into one buffer. */
let viewed: Buffer | undefined;
let view: DataView = new DataView(new ArrayBuffer(0));

function viewOf(target: Buffer): DataView {
  viewed = target;
  view = new DataView(target.buffer, target.byteOffset, target.length);
  return view;
}

/**
 * Writes all of `preset` at `at`, where there is room for it. Four bytes a turn, the last four over what lies there of them
 * already, as this is much of the time that an entry takes.
 * @returns the offset after it.
 */
export function putAscii(target: Buffer, at: number, preset: Ascii): number {
  const { length } = preset;
  const end = at + length;
  if (length < WORD_BYTES) {
    const { bytes } = preset;
    for (let i = 0; i < length; i++) target[at + i] = bytes[i];
    return end;
  }
  const words = target === viewed ? view : viewOf(target);
  const lastAt = end - WORD_BYTES;
  for (let i = 0, to = at; to < lastAt; i++, to += WORD_BYTES) words.setInt32(to, preset.words[i], true);
  words.setInt32(lastAt, preset.lastWord, true);
  return end;
}

/** Appends all of `preset`: for a few bytes the loop is several times faster than `ByteWriter.append`. */
export function appendAscii(out: ByteWriter, preset: Ascii): void {
  out.ensure(preset.length);
  out.length = putAscii(out.bytes, out.length, preset);
}

/** Writes a short ASCII string at `at`. @returns the offset after it. */
export function putAsciiString(target: Buffer, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i);
  return at + text.length;
}
