import type { ByteWriter } from '../shared/byte-writer.ts';
import { HEX_DIGITS } from './write-hex.ts';
import { EscapeAction } from './json-escapes.ts';
import { endOfCString } from './read-value.ts';

/** Runs without escapes from this length on are copied at once: a copy costs as much as 40 bytes of the loop. */
const BULK_COPY_MIN_BYTES = 64;
/** Room for escapes that is asked for at a time, beside one byte for each byte of the string. */
const ESCAPE_ROOM_BYTES = 96;
/** The longest thing that one input byte becomes: `\u00xx`. */
const ESCAPE_MAX_BYTES = 6;
/** A name up to this length is scanned and copied in one pass. */
const SHORT_NAME_BYTES = 64;
/** Room that {@link writeJsonName} leaves after the name, for a value of fixed size. */
export const FIXED_VALUE_ROOM = 96;

const QUOTE = 0x22;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const LETTER_U = 0x75;

/**
 * Appends the UTF-8 text `bytes[start, end)` as a JSON string with its quotes. A byte that is not UTF-8
 * becomes `\ufffd`, each for itself, as Go does; U+2028 and U+2029 are always escaped.
 * @param escapes one of the tables of json-escapes.ts.
 */
export function writeJsonString(
  out: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  escapes: Uint8Array,
): void {
  out.ensure(end - start + ESCAPE_ROOM_BYTES);
  const target = out.bytes;
  let to = out.length;
  target[to++] = QUOTE;
  if (end - start >= BULK_COPY_MIN_BYTES) {
    out.length = to;
    writeEscaped(out, bytes, start, end, escapes);
    out.ensure(1);
    out.bytes[out.length++] = QUOTE;
    return;
  }
  let from = start;
  while (from < end) {
    const byte = bytes[from];
    if (escapes[byte] !== 0) break;
    target[to++] = byte;
    from++;
  }
  if (from === end) {
    target[to] = QUOTE;
    out.length = to + 1;
    return;
  }
  out.length = to;
  writeEscaped(out, bytes, from, end, escapes);
  out.ensure(1);
  out.bytes[out.length++] = QUOTE;
}

/**
 * Appends the C string at `at` as a JSON name with its colon, and makes {@link FIXED_VALUE_ROOM} after it.
 * @returns the offset after the C string's NUL.
 * @throws MalformedBsonError when the C string does not end.
 */
export function writeJsonName(out: ByteWriter, bytes: Uint8Array, at: number, escapes: Uint8Array): number {
  out.ensure(SHORT_NAME_BYTES + FIXED_VALUE_ROOM + 3);
  const target = out.bytes;
  let to = out.length;
  target[to++] = QUOTE;
  let from = at;
  const limit = at + SHORT_NAME_BYTES < bytes.length ? at + SHORT_NAME_BYTES : bytes.length;
  while (from < limit) {
    const byte = bytes[from];
    if (escapes[byte] !== 0) break;
    target[to++] = byte;
    from++;
  }
  if (from < limit && bytes[from] === 0) {
    target[to] = QUOTE;
    target[to + 1] = COLON;
    out.length = to + 2;
    return from + 1;
  }
  const end = endOfCString(bytes, from);
  out.length = to;
  writeEscaped(out, bytes, from, end, escapes);
  out.ensure(FIXED_VALUE_ROOM + 2);
  out.bytes[out.length++] = QUOTE;
  out.bytes[out.length++] = COLON;
  return end + 1;
}

/** The body of a JSON string, for text of any length and content. */
function writeEscaped(
  out: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  escapes: Uint8Array,
): void {
  let from = start;
  while (from < end) {
    const runEnd = endOfPlainRun(bytes, from, end, escapes);
    if (runEnd - from >= BULK_COPY_MIN_BYTES) {
      out.append(bytes, from, runEnd);
      from = runEnd;
    }
    from = writeRun(out, bytes, from, end, escapes);
  }
}

/** Where the run of bytes that need no escape ends. Eight at a time: four times as fast on long texts. */
function endOfPlainRun(bytes: Uint8Array, start: number, end: number, escapes: Uint8Array): number {
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const first =
      escapes[bytes[at]] | escapes[bytes[at + 1]] | escapes[bytes[at + 2]] | escapes[bytes[at + 3]];
    const second =
      escapes[bytes[at + 4]] | escapes[bytes[at + 5]] | escapes[bytes[at + 6]] | escapes[bytes[at + 7]];
    if ((first | second) !== 0) break;
  }
  while (at < end && escapes[bytes[at]] === 0) at++;
  return at;
}

/** Writes until the text ends, the room for escapes is used up, or a long run of plain bytes begins. */
function writeRun(
  out: ByteWriter,
  bytes: Uint8Array,
  start: number,
  end: number,
  escapes: Uint8Array,
): number {
  const stop = end - start > BULK_COPY_MIN_BYTES ? start + BULK_COPY_MIN_BYTES : end;
  out.ensure((stop - start + 3) * ESCAPE_MAX_BYTES);
  const target = out.bytes;
  let to = out.length;
  let from = start;
  while (from < stop) {
    const byte = bytes[from];
    const action = escapes[byte];
    if (action === EscapeAction.copy) {
      target[to++] = byte;
      from++;
    } else if (action === EscapeAction.nonAscii) {
      const length = utf8Length(bytes, from, end);
      if (length === 0) {
        to = putUnicodeEscape(target, to, 0xff, 0xfd);
        from++;
      } else if (length === 3 && isLineSeparator(bytes, from)) {
        to = putUnicodeEscape(target, to, 0x20, bytes[from + 2] - 0x80);
        from += 3;
      } else {
        for (let i = 0; i < length; i++) target[to++] = bytes[from++];
      }
    } else if (action === EscapeAction.unicode) {
      to = putUnicodeEscape(target, to, 0, byte);
      from++;
    } else {
      target[to++] = BACKSLASH;
      target[to++] = action;
      from++;
    }
  }
  out.length = to;
  return from;
}

/** U+2028 (e2 80 a8) or U+2029 (e2 80 a9): line ends in JavaScript before 2019. */
function isLineSeparator(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0xe2 && bytes[at + 1] === 0x80 && (bytes[at + 2] & 0xfe) === 0xa8;
}

function putUnicodeEscape(target: Buffer, at: number, high: number, low: number): number {
  target[at] = BACKSLASH;
  target[at + 1] = LETTER_U;
  target[at + 2] = HEX_DIGITS[high * 2];
  target[at + 3] = HEX_DIGITS[high * 2 + 1];
  target[at + 4] = HEX_DIGITS[low * 2];
  target[at + 5] = HEX_DIGITS[low * 2 + 1];
  return at + 6;
}

/**
 * Length of the UTF-8 sequence that starts at `at` with a byte >= 0x80; 0 when it is not valid
 * (RFC 3629: no surrogates, no overlong forms, nothing above U+10FFFF).
 */
function utf8Length(bytes: Uint8Array, at: number, end: number): number {
  const first = bytes[at];
  if (first < 0xc2 || first > 0xf4 || at + 1 >= end) return 0;
  const second = bytes[at + 1];
  if (first < 0xe0) return (second & 0xc0) === 0x80 ? 2 : 0;
  const min = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const max = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < min || second > max || at + 2 >= end || (bytes[at + 2] & 0xc0) !== 0x80) return 0;
  if (first < 0xf0) return 3;
  return at + 3 < end && (bytes[at + 3] & 0xc0) === 0x80 ? 4 : 0;
}
