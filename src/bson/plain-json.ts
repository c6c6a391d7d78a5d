import type { ByteWriter } from '../shared/byte-writer.ts';
import { appendAscii, ascii, putAscii, putAsciiString } from './ascii.ts';
import { BsonType } from './bson-type.ts';
import { decimal128Text } from './decimal128-text.ts';
import { endOfCodeWithScope } from './extended-json.ts';
import { MINIMAL_ESCAPES } from './json-escapes.ts';
import { binaryDataAt, endOfFixed, endOfString, JsonFlavour } from './json-flavour.ts';
import { MalformedBsonError } from './malformed-bson-error.ts';
import { endOfCString, readInt32, readUint32 } from './read-value.ts';
import { writeBase64 } from './write-base64.ts';
import { putDate, splitDate, type DateStyle, type SplitDate } from './write-date.ts';
import { putJsonDouble, readDouble } from './write-double.ts';
import { putHex } from './write-hex.ts';
import { isSafeInt64, putInt32, putInt64, putUnsigned } from './write-integer.ts';
import { FIXED_VALUE_ROOM, writeJsonString } from './write-json-string.ts';

const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;
const DASH = 0x2d;

const TIMESTAMP_T = ascii('{"t":');
const TIMESTAMP_I = ascii(',"i":');
const DB_POINTER = ascii('{"$ref":');
const DB_POINTER_ID = ascii(',"$id":"');
const CODE = ascii('{"$code":');
const SCOPE = ascii(',"$scope":');
const UNDEFINED = ascii('{"$undefined":true}');
const MIN_KEY = ascii('{"$minKey":1}');
const MAX_KEY = ascii('{"$maxKey":1}');
const TRUE = ascii('true');
const FALSE = ascii('false');
const NULL = ascii('null');
const END_TEXT = ascii('"}');

/** 0000-01-01 and 10000-01-01 in days since 1970: between them ISO 8601 has four digits of year. */
const ISO_FIRST_DAY = -719_528;
const ISO_END_DAY = 2_932_897;
const ISO: DateStyle = { trimMilliseconds: false, offsetSeconds: 0 };

const UUID_SUBTYPE = 4;
const UUID_BYTES = 16;

/** A decimal that a double keeps: no exponent, at most this many digits. */
const EXACT_DECIMAL_DIGITS = 15;
const PLAIN_DECIMAL = /^-?\d+(\.\d+)?$/;

/**
 * The document as ordinary JSON, for readers who know nothing of BSON:
 *
 * | BSON | JSON |
 * | --- | --- |
 * | double | number; `"NaN"`, `"Infinity"`, `"-Infinity"` |
 * | int32 | number |
 * | int64 | number while it is at most 2^53 - 1 from zero, else a string of its digits |
 * | decimal128 | number (`1.500`) when it has no exponent and at most 15 digits, else a string (`"1E+3"`, `"NaN"`) |
 * | string, symbol, javascript | string |
 * | document, array | object with its names in order (repeated names stay), array |
 * | objectId | string of 24 hex digits |
 * | date | `"2020-02-21T09:25:56.570Z"`; outside the years 0 to 9999 a string of milliseconds since 1970 |
 * | timestamp | `{"t":seconds,"i":increment}` |
 * | binary | base64 string; subtype 4 with 16 bytes as UUID text |
 * | boolean, null | `true`, `false`, `null` |
 * | regex | `"/pattern/options"` |
 * | javascript with scope | `{"$code":"…","$scope":{…}}` |
 * | dbPointer | `{"$ref":"ns","$id":"24 hex digits"}` |
 * | undefined, minKey, maxKey | `{"$undefined":true}`, `{"$minKey":1}`, `{"$maxKey":1}` |
 */
export class PlainJson extends JsonFlavour {
  readonly #date: SplitDate = { days: 0, msOfDay: 0 };

  constructor() {
    super(MINIMAL_ESCAPES);
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
      case BsonType.javascript:
      case BsonType.symbol:
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
      case BsonType.javascriptWithScope:
        return this.#writeCodeWithScope(out, bytes, at, end, depth);
      default:
        throw new MalformedBsonError(`unknown element type ${type}`, at);
    }
  }

  #putFixed(target: Buffer, at: number, bytes: Uint8Array, type: number, from: number): number {
    switch (type) {
      case BsonType.int32:
        return putInt32(target, at, readInt32(bytes, from));
      case BsonType.int64:
        if (isSafeInt64(bytes, from)) return putInt64(target, at, bytes, from);
        return this.#putQuotedInt64(target, at, bytes, from);
      case BsonType.objectId: {
        target[at] = QUOTE;
        const to = putHex(target, at + 1, bytes, from, from + 12);
        target[to] = QUOTE;
        return to + 1;
      }
      case BsonType.double: {
        const value = readDouble(bytes, from);
        if (Number.isFinite(value)) return putJsonDouble(target, at, value);
        return putAsciiString(target, at, `"${value}"`);
      }
      case BsonType.date:
        return this.#putDate(target, at, bytes, from);
      case BsonType.boolean:
        return putAscii(target, at, bytes[from] === 0 ? FALSE : TRUE);
      case BsonType.null:
        return putAscii(target, at, NULL);
      case BsonType.timestamp: {
        let to = putUnsigned(target, putAscii(target, at, TIMESTAMP_T), readUint32(bytes, from + 4));
        to = putUnsigned(target, putAscii(target, to, TIMESTAMP_I), readUint32(bytes, from));
        target[to] = CLOSE_BRACE;
        return to + 1;
      }
      case BsonType.decimal128:
        return putAsciiString(target, at, decimalJson(decimal128Text(bytes, from)));
      case BsonType.undefined:
        return putAscii(target, at, UNDEFINED);
      default:
        return putAscii(target, at, type === BsonType.minKey ? MIN_KEY : MAX_KEY);
    }
  }

  #putQuotedInt64(target: Buffer, at: number, bytes: Uint8Array, from: number): number {
    target[at] = QUOTE;
    const to = putInt64(target, at + 1, bytes, from);
    target[to] = QUOTE;
    return to + 1;
  }

  #putDate(target: Buffer, at: number, bytes: Uint8Array, from: number): number {
    const date = this.#date;
    splitDate(date, readInt32(bytes, from), readInt32(bytes, from + 4));
    if (date.days < ISO_FIRST_DAY || date.days >= ISO_END_DAY) {
      return this.#putQuotedInt64(target, at, bytes, from);
    }
    target[at] = QUOTE;
    const to = putDate(target, at + 1, date, ISO);
    target[to] = QUOTE;
    return to + 1;
  }

  #writeBinary(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const dataAt = binaryDataAt(bytes, at, end);
    const after = at + 5 + readInt32(bytes, at);
    out.bytes[out.length++] = QUOTE;
    if (bytes[at + 4] === UUID_SUBTYPE && after - dataAt === UUID_BYTES) {
      out.length = putUuid(out.bytes, out.length, bytes, dataAt);
    } else {
      writeBase64(out, bytes, dataAt, after);
    }
    out.ensure(1);
    out.bytes[out.length++] = QUOTE;
    return after;
  }

  #writeRegex(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const optionsAt = endOfCString(bytes, at) + 1;
    const optionsEnd = endOfCString(bytes, optionsAt);
    if (optionsEnd >= end) throw new MalformedBsonError('a text passes the end of its document', at);
    const slash = Buffer.from('/');
    const text = Buffer.concat([
      slash,
      bytes.subarray(at, optionsAt - 1),
      slash,
      bytes.subarray(optionsAt, optionsEnd),
    ]);
    writeJsonString(out, text, 0, text.length, this.escapes);
    return optionsEnd + 1;
  }

  #writeDbPointer(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const idAt = endOfString(bytes, at, end);
    if (idAt + 12 > end) throw new MalformedBsonError('a value passes the end of its document', at);
    out.length = putAscii(out.bytes, out.length, DB_POINTER);
    writeJsonString(out, bytes, at + 4, idAt - 1, this.escapes);
    out.ensure(FIXED_VALUE_ROOM);
    const to = putHex(out.bytes, putAscii(out.bytes, out.length, DB_POINTER_ID), bytes, idAt, idAt + 12);
    out.length = putAscii(out.bytes, to, END_TEXT);
    return idAt + 12;
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

function decimalJson(text: string): string {
  const digits = text.replace(/\D/g, '').length;
  return digits <= EXACT_DECIMAL_DIGITS && PLAIN_DECIMAL.test(text) ? text : `"${text}"`;
}

function putUuid(target: Buffer, at: number, bytes: Uint8Array, from: number): number {
  let to = putHex(target, at, bytes, from, from + 4);
  for (let i = 4; i < 10; i += 2) {
    target[to] = DASH;
    to = putHex(target, to + 1, bytes, from + i, from + i + 2);
  }
  target[to] = DASH;
  return putHex(target, to + 1, bytes, from + 10, from + UUID_BYTES);
}
