import type { ByteWriter } from '../shared/byte-writer.ts';
import { BsonType } from './bson-type.ts';
import { MalformedBsonError } from './malformed-bson-error.ts';
import { endOfCString, readInt32 } from './read-value.ts';
import { FIXED_VALUE_ROOM, writeJsonName, writeJsonString } from './write-json-string.ts';

/** MongoDB itself stops at 200; far more would end our stack. */
const NESTING_MAX = 1000;

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const COMMA = 0x2c;

/**
 * One way to write BSON as JSON text: walks the bytes once and appends to `out`, without an object or string
 * per value. Subclasses say how a value looks; this class knows documents and arrays.
 *
 * Everything is checked against `end`, the offset that the enclosing document says it ends at, so that no
 * input makes it read beyond, loop for ever or overflow the stack: {@link MalformedBsonError} instead.
 */
export abstract class JsonFlavour {
  readonly escapes: Uint8Array;

  constructor(escapes: Uint8Array) {
    this.escapes = escapes;
  }

  /**
   * Appends the value of `type` whose bytes start at `at`. The caller has made FIXED_VALUE_ROOM in `out`.
   * @param end the value must end here or before.
   * @param depth how many documents and arrays are around it.
   * @returns the offset after the value.
   * @throws MalformedBsonError
   */
  abstract writeValue(
    out: ByteWriter,
    bytes: Uint8Array,
    type: number,
    at: number,
    end: number,
    depth: number,
  ): number;

  /** Appends the document at `at` as `{"name":value,…}`. Returns and throws as {@link writeValue}. */
  writeDocument(out: ByteWriter, bytes: Uint8Array, at: number, end: number, depth: number): number {
    const last = lastByteOf(bytes, at, end, depth);
    const escapes = this.escapes;
    out.ensure(1);
    out.bytes[out.length++] = OPEN_BRACE;
    let from = at + 4;
    while (from < last) {
      if (from !== at + 4) {
        out.ensure(1);
        out.bytes[out.length++] = COMMA;
      }
      const type = bytes[from];
      const valueAt = writeJsonName(out, bytes, from + 1, escapes);
      from = this.writeValue(out, bytes, type, valueAt, last, depth + 1);
    }
    if (from !== last) throw new MalformedBsonError('a document does not end where it says', at);
    out.ensure(1);
    out.bytes[out.length++] = CLOSE_BRACE;
    return last + 1;
  }

  /** Appends the array at `at` as `[value,…]`; its names (0, 1, 2…) are not looked at. */
  writeArray(out: ByteWriter, bytes: Uint8Array, at: number, end: number, depth: number): number {
    const last = lastByteOf(bytes, at, end, depth);
    out.ensure(1);
    out.bytes[out.length++] = OPEN_BRACKET;
    let from = at + 4;
    while (from < last) {
      out.ensure(FIXED_VALUE_ROOM + 1);
      if (from !== at + 4) out.bytes[out.length++] = COMMA;
      const valueAt = endOfCString(bytes, from + 1) + 1;
      from = this.writeValue(out, bytes, bytes[from], valueAt, last, depth + 1);
    }
    if (from !== last) throw new MalformedBsonError('an array does not end where it says', at);
    out.ensure(1);
    out.bytes[out.length++] = CLOSE_BRACKET;
    return last + 1;
  }

  /** Appends the BSON string (length, bytes, NUL) at `at` as a JSON string. */
  writeString(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const stop = endOfString(bytes, at, end);
    writeJsonString(out, bytes, at + 4, stop - 1, this.escapes);
    return stop;
  }

  /** Appends the C string at `at` as a JSON string. */
  writeCString(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const stop = endOfCString(bytes, at);
    if (stop >= end) throw new MalformedBsonError('a text passes the end of its document', at);
    writeJsonString(out, bytes, at, stop, this.escapes);
    return stop + 1;
  }
}

/**
 * Offset of the NUL that ends the document at `at`.
 * @throws MalformedBsonError when its length cannot be, or it lies too deep.
 */
export function lastByteOf(bytes: Uint8Array, at: number, end: number, depth: number): number {
  const length = at + 5 <= end ? readInt32(bytes, at) : 0;
  if (length < 5 || at + length > end || bytes[at + length - 1] !== 0) {
    throw new MalformedBsonError(`a document of ${length} bytes cannot be here`, at);
  }
  if (depth > NESTING_MAX) {
    throw new MalformedBsonError(`documents are nested deeper than ${NESTING_MAX}`, at);
  }
  return at + length - 1;
}

/** Offset after the BSON string at `at`, its length and NUL checked. */
export function endOfString(bytes: Uint8Array, at: number, end: number): number {
  const length = at + 5 <= end ? readInt32(bytes, at) : 0;
  if (length < 1 || at + 4 + length > end || bytes[at + 3 + length] !== 0) {
    throw new MalformedBsonError(`a string of ${length} bytes cannot be here`, at);
  }
  return at + 4 + length;
}

/** Where the payload of the binary at `at` starts: subtype 2 repeats its length inside. */
export function binaryDataAt(bytes: Uint8Array, at: number, end: number): number {
  const length = at + 5 <= end ? readInt32(bytes, at) : -1;
  if (length < 0 || at + 5 + length > end) {
    throw new MalformedBsonError(`binary data of ${length} bytes cannot be here`, at);
  }
  const repeatsLength = bytes[at + 4] === 2 && length >= 4 && readInt32(bytes, at + 5) === length - 4;
  return repeatsLength ? at + 9 : at + 5;
}

/** Bytes of a value whose type alone says its size; -1 for the others. */
const FIXED_SIZES = new Int8Array(256).fill(-1);
FIXED_SIZES[BsonType.double] = FIXED_SIZES[BsonType.date] = 8;
FIXED_SIZES[BsonType.timestamp] = FIXED_SIZES[BsonType.int64] = 8;
FIXED_SIZES[BsonType.int32] = 4;
FIXED_SIZES[BsonType.boolean] = 1;
FIXED_SIZES[BsonType.objectId] = 12;
FIXED_SIZES[BsonType.decimal128] = 16;
FIXED_SIZES[BsonType.null] = FIXED_SIZES[BsonType.undefined] = 0;
FIXED_SIZES[BsonType.minKey] = FIXED_SIZES[BsonType.maxKey] = 0;

/** Offset after a value of fixed size, or -1 when `type` has none. */
export function endOfFixed(type: number, at: number, end: number): number {
  const size = FIXED_SIZES[type];
  if (size < 0) return -1;
  if (at + size > end) throw new MalformedBsonError('a value passes the end of its document', at);
  return at + size;
}
