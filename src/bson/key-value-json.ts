import type { ByteWriter } from '../shared/byte-writer.ts';
import { appendAscii, ascii, putAscii, putAsciiString } from './ascii.ts';
import { BsonType } from './bson-type.ts';
import { decimal128Text } from './decimal128-text.ts';
import { endOfCodeWithScope } from './extended-json.ts';
import { HTML_ESCAPES } from './json-escapes.ts';
import { binaryDataAt, endOfFixed, endOfString, JsonFlavour, lastByteOf } from './json-flavour.ts';
import { MalformedBsonError } from './malformed-bson-error.ts';
import { endOfCString, readInt32, readUint32 } from './read-value.ts';
import { writeBase64 } from './write-base64.ts';
import { putDate, splitDate, type DateStyle, type SplitDate } from './write-date.ts';
import { putJsonDouble, readDouble } from './write-double.ts';
import { putHex } from './write-hex.ts';
import { putInt32, putInt64, putUnsigned } from './write-integer.ts';
import { FIXED_VALUE_ROOM, writeJsonString } from './write-json-string.ts';
import { ZoneOffset } from './zone-offset.ts';

const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACKET = 0x5b;
const MS_PER_DAY = 86_400_000;

const KEY = ascii('{"Key":');
const VALUE = ascii('"Value":');
const NEXT_KEY = ascii('},{"Key":');
const COMMA = 0x2c;
const TIMESTAMP_T = ascii('{"T":');
const TIMESTAMP_I = ascii(',"I":');
const SUBTYPE = ascii('{"Subtype":');
const DATA = ascii(',"Data":"');
const PATTERN = ascii('{"Pattern":');
const OPTIONS = ascii(',"Options":');
const DB = ascii('{"DB":');
const POINTER = ascii(',"Pointer":"');
const CODE = ascii('{"Code":');
const SCOPE = ascii(',"Scope":');
const EMPTY_OBJECT = ascii('{}');
const TRUE = ascii('true');
const FALSE = ascii('false');
const NULL = ascii('null');
const END_TEXT = ascii('"}');

/**
 * MongoShake's default text, which is Go's encoding/json of the Go driver's types: a document is
 * `[{"Key":k,"Value":v},…]`, a date is RFC 3339 in the zone of the process, undefined, minKey and maxKey are `{}`.
 * Where MongoShake drops an entry we write `"NaN"`, `"Infinity"`, `"-Infinity"`; where it dies, the date with as
 * many digits of year as it needs (`10000-01-01T00:00:00Z`, `-0001-…`).
 */
export class KeyValueJson extends JsonFlavour {
  readonly #zone: ZoneOffset;
  readonly #date: SplitDate = { days: 0, msOfDay: 0 };
  readonly #dateStyle = { trimMilliseconds: true, offsetSeconds: 0 } satisfies DateStyle;

  /** Go's maps (only `uk` is one) are objects, not arrays of fields. */
  readonly #documentsAreMaps: boolean;

  /** @param options.timeZone a name of the IANA database; by default the zone of the process (TZ). */
  constructor(options: { timeZone?: string | undefined; documentsAreMaps?: boolean } = {}) {
    super(HTML_ESCAPES);
    this.#zone = new ZoneOffset(options.timeZone);
    this.#documentsAreMaps = options.documentsAreMaps ?? false;
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

  /** Appends the document at `at` as an array of its fields. */
  override writeDocument(out: ByteWriter, bytes: Uint8Array, at: number, end: number, depth: number): number {
    if (this.#documentsAreMaps) return super.writeDocument(out, bytes, at, end, depth);
    const last = lastByteOf(bytes, at, end, depth);
    let from = at + 4;
    out.ensure(2);
    out.bytes[out.length++] = OPEN_BRACKET;
    while (from < last) {
      out.ensure(NEXT_KEY.length);
      out.length = putAscii(out.bytes, out.length, from === at + 4 ? KEY : NEXT_KEY);
      const type = bytes[from];
      const nameEnd = endOfCString(bytes, from + 1);
      writeJsonString(out, bytes, from + 1, nameEnd, this.escapes);
      out.ensure(1 + VALUE.length + FIXED_VALUE_ROOM);
      out.bytes[out.length++] = COMMA;
      out.length = putAscii(out.bytes, out.length, VALUE);
      from = this.writeValue(out, bytes, type, nameEnd + 1, last, depth + 1);
    }
    if (from !== last) throw new MalformedBsonError('a document does not end where it says', at);
    out.ensure(2);
    if (from !== at + 4) out.bytes[out.length++] = CLOSE_BRACE;
    out.bytes[out.length++] = CLOSE_BRACKET;
    return last + 1;
  }

  #putFixed(target: Buffer, at: number, bytes: Uint8Array, type: number, from: number): number {
    switch (type) {
      case BsonType.int32:
        return putInt32(target, at, readInt32(bytes, from));
      case BsonType.int64:
        return putInt64(target, at, bytes, from);
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
        return putAsciiString(target, at, `"${decimal128Text(bytes, from)}"`);
      default:
        return putAscii(target, at, EMPTY_OBJECT);
    }
  }

  #putDate(target: Buffer, at: number, bytes: Uint8Array, from: number): number {
    const date = this.#date;
    splitDate(date, readInt32(bytes, from), readInt32(bytes, from + 4));
    const style = this.#dateStyle;
    if (!this.#zone.isUtc) style.offsetSeconds = this.#zone.at(date.days * MS_PER_DAY + date.msOfDay);
    target[at] = QUOTE;
    const to = putDate(target, at + 1, date, style);
    target[to] = QUOTE;
    return to + 1;
  }

  #writeBinary(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const dataAt = binaryDataAt(bytes, at, end);
    const after = at + 5 + readInt32(bytes, at);
    const to = putUnsigned(out.bytes, putAscii(out.bytes, out.length, SUBTYPE), bytes[at + 4]);
    out.length = putAscii(out.bytes, to, DATA);
    writeBase64(out, bytes, dataAt, after);
    appendAscii(out, END_TEXT);
    return after;
  }

  #writeRegex(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    out.length = putAscii(out.bytes, out.length, PATTERN);
    const optionsAt = this.writeCString(out, bytes, at, end);
    appendAscii(out, OPTIONS);
    const after = this.writeCString(out, bytes, optionsAt, end);
    out.ensure(1);
    out.bytes[out.length++] = CLOSE_BRACE;
    return after;
  }

  #writeDbPointer(out: ByteWriter, bytes: Uint8Array, at: number, end: number): number {
    const idAt = endOfString(bytes, at, end);
    if (idAt + 12 > end) throw new MalformedBsonError('a value passes the end of its document', at);
    out.length = putAscii(out.bytes, out.length, DB);
    writeJsonString(out, bytes, at + 4, idAt - 1, this.escapes);
    out.ensure(FIXED_VALUE_ROOM);
    const to = putHex(out.bytes, putAscii(out.bytes, out.length, POINTER), bytes, idAt, idAt + 12);
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
