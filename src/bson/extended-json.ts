import type { ByteWriter } from '../shared/byte-writer.ts';
import { appendAscii, ascii, putAscii, putAsciiString, type Ascii } from './ascii.ts';
import { BsonType } from './bson-type.ts';
import { decimal128Text } from './decimal128-text.ts';
import { HTML_ESCAPES, MINIMAL_ESCAPES } from './json-escapes.ts';
import { binaryDataAt, endOfFixed, endOfString, JsonFlavour } from './json-flavour.ts';
import { MalformedBsonError } from './malformed-bson-error.ts';
import { endOfCString, readInt32, readUint32 } from './read-value.ts';
import { writeBase64 } from './write-base64.ts';
import { putDate, splitDate, type DateStyle, type SplitDate } from './write-date.ts';
import { putCanonicalDouble, putJsonDouble, readDouble } from './write-double.ts';
import { HEX_DIGITS, putHex } from './write-hex.ts';
import { putInt32, putInt64, putUnsigned } from './write-integer.ts';
import { FIXED_VALUE_ROOM, writeJsonString } from './write-json-string.ts';

const CLOSE_BRACE = 0x7d;

const NUMBER_INT = ascii('{"$numberInt":"');
const NUMBER_LONG = ascii('{"$numberLong":"');
const NUMBER_DOUBLE = ascii('{"$numberDouble":"');
const NUMBER_DECIMAL = ascii('{"$numberDecimal":"');
const OBJECT_ID = ascii('{"$oid":"');
const DATE_LONG = ascii('{"$date":{"$numberLong":"');
const DATE_TEXT = ascii('{"$date":"');
const TIMESTAMP = ascii('{"$timestamp":{"t":');
const TIMESTAMP_I = ascii(',"i":');
const BINARY = ascii('{"$binary":{"base64":"');
const BINARY_SUBTYPE = ascii('","subType":"');
const REGEX = ascii('{"$regularExpression":{"pattern":');
const REGEX_OPTIONS = ascii(',"options":');
const DB_POINTER = ascii('{"$dbPointer":{"$ref":');
const DB_POINTER_ID = ascii(',"$id":{"$oid":"');
const CODE = ascii('{"$code":');
const SCOPE = ascii(',"$scope":');
const SYMBOL = ascii('{"$symbol":');
const UNDEFINED = ascii('{"$undefined":true}');
const MIN_KEY = ascii('{"$minKey":1}');
const MAX_KEY = ascii('{"$maxKey":1}');
const TRUE = ascii('true');
const FALSE = ascii('false');
const NULL = ascii('null');
const END_TEXT = ascii('"}');
const END_TEXT_2 = ascii('"}}');
const END_TEXT_3 = ascii('"}}}');
const END_2 = ascii('}}');

/** 1970-01-01 and 10000-01-01 in days: relaxed Extended JSON writes dates between them as text. */
const RELAXED_DATE_FIRST_DAY = 0;
const RELAXED_DATE_END_DAY = 2_932_897;

/**
 * MongoDB Extended JSON, version 2.
 *
 * Canonical is byte for byte what MongoShake 2.8.4 writes (MongoDB Go driver 1.9, HTML escaping on): its own
 * text of doubles, regular expression options in order. Relaxed follows MongoDB's specification: 32- and 64-bit integers
 * and finite doubles as JSON numbers, dates of the years 1970 to 9999 as ISO 8601 with milliseconds only where
 * they are not zero, the rest as canonical.
 */
export class ExtendedJson extends JsonFlavour {
  readonly #relaxed: boolean;
  readonly #date: SplitDate = { days: 0, msOfDay: 0 };

  constructor(mode: 'canonical' | 'relaxed') {
    super(HTML_ESCAPES);
    this.#relaxed = mode === 'relaxed';
  }

  override writeValue(
    out: ByteWriter,
    bytes: Uint8Array,
    type: number,
    at: number,
    end: number,
    depth: number,
  ): number {
    const after = endOfFixed(type, at, end);
    if (after >= 0) {
      out.length = this.#putFixed(out.bytes, out.length, bytes, type, at);
      return after;
    }
    switch (type) {
      case BsonType.string:
        return this.writeString(out, bytes, at, end);
      case BsonType.document:
        return this.writeDocument(out, bytes, at, end, depth);
      case BsonType.array:
        return this.writeArray(out, bytes, at, end, depth);
      case BsonType.binary:
        return this.#writeBinary(out, bytes, at, end);
      case BsonType.regex:
        return this.#writeRegex(out, bytes, at, end);
      case BsonType.dbPointer:
        return this.#writeDbPointer(out, bytes, at, end);
      case BsonType.javascript:
        return this.#writeWrapped(out, bytes, at, end, CODE);
      case BsonType.symbol:
        return this.#writeWrapped(out, bytes, at, end, SYMBOL);
      case BsonType.javascriptWithScope:
        return this.#writeCodeWithScope(out, bytes, at, end, depth);
      default:
        throw new MalformedBsonError(`unknown element type ${type}`, at);
    }
  }

  #putFixed(target: Buffer, at: number, bytes: Uint8Array, type: number, from: number): number {
    switch (type) {
      case BsonType.int32: {
        const value = readInt32(bytes, from);
        if (this.#relaxed) return putInt32(target, at, value);
        return putAscii(target, putInt32(target, putAscii(target, at, NUMBER_INT), value), END_TEXT);
      }
      case BsonType.int64:
        if (this.#relaxed) return putInt64(target, at, bytes, from);
        return putAscii(target, putInt64(target, putAscii(target, at, NUMBER_LONG), bytes, from), END_TEXT);
      case BsonType.objectId: {
        const to = putHex(target, putAscii(target, at, OBJECT_ID), bytes, from, from + 12);
        return putAscii(target, to, END_TEXT);
      }
      case BsonType.double: {
        const value = readDouble(bytes, from);
        if (this.#relaxed && Number.isFinite(value)) return putJsonDouble(target, at, value);
        return putAscii(
          target,
          putCanonicalDouble(target, putAscii(target, at, NUMBER_DOUBLE), value),
          END_TEXT,
        );
      }
      case BsonType.date:
        return this.#putDate(target, at, bytes, from);
      case BsonType.boolean:
        return putAscii(target, at, bytes[from] === 0 ? FALSE : TRUE);
      case BsonType.null:
        return putAscii(target, at, NULL);
      case BsonType.timestamp: {
        let to = putUnsigned(target, putAscii(target, at, TIMESTAMP), readUint32(bytes, from + 4));
        to = putUnsigned(target, putAscii(target, to, TIMESTAMP_I), readUint32(bytes, from));
        return putAscii(target, to, END_2);
      }
      case BsonType.decimal128: {
        const to = putAsciiString(target, putAscii(target, at, NUMBER_DECIMAL), decimal128Text(bytes, from));
        return putAscii(target, to, END_TEXT);
      }
      case BsonType.undefined:
        return putAscii(target, at, UNDEFINED);
      default:
        return putAscii(target, at, type === BsonType.minKey ? MIN_KEY : MAX_KEY);
    }
  }

  #putDate(target: Buffer, at: number, bytes: Uint8Array, from: number): number {
    if (this.#relaxed) {
      const date = this.#date;
      splitDate(date, readInt32(bytes, from), readInt32(bytes, from + 4));
      if (date.days >= RELAXED_DATE_FIRST_DAY && date.days < RELAXED_DATE_END_DAY) {
        const style = date.msOfDay % 1000 === 0 ? WHOLE_SECOND : MILLISECONDS;
        return putAscii(target, putDate(target, putAscii(target, at, DATE_TEXT), date, style), END_TEXT);
      }
    }
    return putAscii(target, putInt64(target, putAscii(target, at, DATE_LONG), bytes, from), END_TEXT_2);
  }

  #writeBinary(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const dataAt = binaryDataAt(bytes, at, end);
    const after = at + 5 + readInt32(bytes, at);
    out.length = putAscii(out.bytes, out.length, BINARY);
    writeBase64(out, bytes, dataAt, after);
    out.ensure(BINARY_SUBTYPE.length + 2 + END_TEXT_2.length);
    const target = out.bytes;
    const to = putAscii(target, out.length, BINARY_SUBTYPE);
    const subtype = bytes[at + 4];
    target[to] = HEX_DIGITS[subtype * 2];
    target[to + 1] = HEX_DIGITS[subtype * 2 + 1];
    out.length = putAscii(target, to + 2, END_TEXT_2);
    return after;
  }

  #writeRegex(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    out.length = putAscii(out.bytes, out.length, REGEX);
    const optionsAt = this.writeCString(out, bytes, at, end);
    const optionsEnd = endOfCString(bytes, optionsAt);
    if (optionsEnd >= end) throw new MalformedBsonError('a text passes the end of its document', at);
    appendAscii(out, REGEX_OPTIONS);
    const sorted = Uint8Array.from(bytes.subarray(optionsAt, optionsEnd)).toSorted();
    writeJsonString(out, sorted, 0, sorted.length, this.escapes);
    appendAscii(out, END_2);
    return optionsEnd + 1;
  }

  /** MongoShake does not escape the namespace at all; the least that keeps it JSON is the same for real names. */
  #writeDbPointer(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const idAt = endOfString(bytes, at, end);
    if (idAt + 12 > end) throw new MalformedBsonError('a value passes the end of its document', at);
    out.length = putAscii(out.bytes, out.length, DB_POINTER);
    writeJsonString(out, bytes, at + 4, idAt - 1, MINIMAL_ESCAPES);
    out.ensure(FIXED_VALUE_ROOM);
    const target = out.bytes;
    const to = putHex(target, putAscii(target, out.length, DB_POINTER_ID), bytes, idAt, idAt + 12);
    out.length = putAscii(target, to, END_TEXT_3);
    return idAt + 12;
  }

  #writeWrapped(out: ByteWriter, bytes: Uint8Array, at: number, end: number, prefix: Ascii): number {
    out.length = putAscii(out.bytes, out.length, prefix);
    const after = this.writeString(out, bytes, at, end);
    out.ensure(1);
    out.bytes[out.length++] = CLOSE_BRACE;
    return after;
  }

  #writeCodeWithScope(out: ByteWriter, bytes: Uint8Array, at: number, end: number, depth: number): number {
    const after = endOfCodeWithScope(bytes, at, end);
    out.length = putAscii(out.bytes, out.length, CODE);
    const scopeAt = this.writeString(out, bytes, at + 4, after);
    appendAscii(out, SCOPE);
    if (this.writeDocument(out, bytes, scopeAt, after, depth + 1) !== after) {
      throw new MalformedBsonError('code with scope does not end where it says', at);
    }
    out.ensure(1);
    out.bytes[out.length++] = CLOSE_BRACE;
    return after;
  }
}

const WHOLE_SECOND: DateStyle = { trimMilliseconds: true, offsetSeconds: 0 };
const MILLISECONDS: DateStyle = { trimMilliseconds: false, offsetSeconds: 0 };

/** Offset after the code with scope at `at`, by its own length. */
export function endOfCodeWithScope(bytes: Uint8Array, at: number, end: number): number {
  const length = at + 14 <= end ? readInt32(bytes, at) : 0;
  if (length < 14 || at + length > end) {
    throw new MalformedBsonError(`code with scope of ${length} bytes cannot be here`, at);
  }
  return at + length;
}

/** Canonical Extended JSON as MongoShake writes it. */
export const canonicalJson = new ExtendedJson('canonical');

/** Relaxed Extended JSON by MongoDB's specification. */
export const relaxedJson = new ExtendedJson('relaxed');
