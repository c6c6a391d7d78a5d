import { appendAscii, ascii, type Ascii } from '../bson/ascii.ts';
import { BsonType } from '../bson/bson-type.ts';
import type { JsonFlavour } from '../bson/json-flavour.ts';
import { readInt32 } from '../bson/read-value.ts';
import { sortDocument } from '../bson/sort-document.ts';
import { writeBase64 } from '../bson/write-base64.ts';
import { readDouble } from '../bson/write-double.ts';
import { FIXED_VALUE_ROOM } from '../bson/write-json-string.ts';
import type { EntryHeader } from '../oplog/entry-header.ts';
import type { ByteWriter } from '../shared/byte-writer.ts';
import type { EntryEncoder } from './entry-encoder.ts';

const TS = ascii('{"ts":');
const T = ascii(',"t":');
const H = ascii(',"h":');
const V = ascii(',"v":');
const OP = ascii(',"op":');
const G = ascii(',"g":');
const NS = ascii(',"ns":');
const O = ascii(',"o":');
const O2 = ascii(',"o2":');
const UK = ascii(',"uk":');
const LSID = ascii(',"lsid":');
const FROM_MIGRATE = ascii(',"fromMigrate":true');
const TXN_NUMBER = ascii(',"txnNumber":');
const DOCUMENT_KEY = ascii(',"documentKey":');
const PREV_OP_TIME = ascii(',"prevOpTime":');
const PREV_OP_TIME_OF_GO = ascii(',"PrevOpTime":');
const UI = ascii(',"ui":');
const NULL = ascii('null');
const EMPTY_STRING = ascii('""');

const QUOTE = 0x22;
const CLOSE_BRACE = 0x7d;
const EMPTY_DOCUMENT_BYTES = 5;

/**
 * `tunnel.message = json`: the fields of an entry that MongoShake knows, in its order; `wall`, `stmtId` and
 * others are left out as it leaves them out. `t`, `h`, `v`, `o`, `o2` are always there, `null` when the entry
 * has none (`v`: 0); the others only when they have a value.
 *
 * The default text differs from the other formats in three fields: `lsid` and `PrevOpTime` (so spelled, and
 * always there) are base64 of their BSON. `uk` is a map of Go: its names are sorted in every format.
 */
export class JsonEntryEncoder implements EntryEncoder {
  readonly #values: JsonFlavour;
  /** Writes `uk` in the default text; undefined in the other formats, where documents look alike everywhere. */
  readonly #maps: JsonFlavour | undefined;
  readonly #scratch = Buffer.alloc(8);

  /** @param options.mapsAs set for the default text: how Go's maps look, and the three fields differ. */
  constructor(values: JsonFlavour, options: { mapsAs?: JsonFlavour } = {}) {
    this.#values = values;
    this.#maps = options.mapsAs;
  }

  encode(header: EntryHeader, out: ByteWriter): void {
    this.#timestamp(header, out);
    this.#int64OrNull(header, out, T, header.tAt, header.tType);
    this.#int64OrNull(header, out, H, header.hAt, header.hType);
    this.#version(header, out);
    this.#string(header, out, OP, header.opAt);
    if (header.gAt !== 0 && !isEmptyString(header)) this.#value(header, out, G, header.gAt, header.gType);
    this.#string(header, out, NS, header.nsAt);
    this.#valueOrNull(header, out, O, header.oAt, header.oType);
    this.#valueOrNull(header, out, O2, header.o2At, header.o2Type);
    this.#rareFields(header, out);
    if (header.uiAt !== 0 && header.uiType !== BsonType.null) {
      this.#value(header, out, UI, header.uiAt, header.uiType);
    }
    out.ensure(1);
    out.bytes[out.length++] = CLOSE_BRACE;
  }

  #rareFields(header: EntryHeader, out: ByteWriter): void {
    if (header.ukAt !== 0) this.#uniqueKeys(header, out);
    if (header.lsidAt !== 0) this.#rawDocument(header, out, LSID, header.lsidAt, header.lsidType);
    if (header.fromMigrate) appendAscii(out, FROM_MIGRATE);
    if (header.txnNumberAt !== 0 && header.txnNumberType !== BsonType.null) {
      this.#int64OrNull(header, out, TXN_NUMBER, header.txnNumberAt, header.txnNumberType);
    }
    if (
      header.documentKeyAt !== 0 &&
      !isEmptyDocument(header, header.documentKeyAt, header.documentKeyType)
    ) {
      this.#value(header, out, DOCUMENT_KEY, header.documentKeyAt, header.documentKeyType);
    }
    const hasPrevOpTime = header.prevOpTimeAt !== 0 && header.prevOpTimeType !== BsonType.null;
    if (this.#maps === undefined) {
      if (hasPrevOpTime) this.#value(header, out, PREV_OP_TIME, header.prevOpTimeAt, header.prevOpTimeType);
    } else if (hasPrevOpTime) {
      this.#rawDocument(header, out, PREV_OP_TIME_OF_GO, header.prevOpTimeAt, header.prevOpTimeType);
    } else {
      appendAscii(out, PREV_OP_TIME_OF_GO);
      appendAscii(out, NULL);
    }
  }

  #timestamp(header: EntryHeader, out: ByteWriter): void {
    out.ensure(TS.length + FIXED_VALUE_ROOM);
    appendAscii(out, TS);
    if (header.tsAt !== 0) {
      this.#values.writeValue(out, header.bytes, BsonType.timestamp, header.tsAt, header.end, 1);
      return;
    }
    this.#scratch.fill(0);
    this.#values.writeValue(out, this.#scratch, BsonType.timestamp, 0, 8, 1);
  }

  #version(header: EntryHeader, out: ByteWriter): void {
    const { vAt, vType, bytes } = header;
    const isSmallInt64 =
      vType === BsonType.int64 && readInt32(bytes, vAt + 4) === readInt32(bytes, vAt) >> 31;
    if (vAt !== 0 && (vType === BsonType.int32 || isSmallInt64)) {
      this.#value(header, out, V, vAt, BsonType.int32);
    } else if (vAt !== 0 && vType !== BsonType.double && vType !== BsonType.null) {
      this.#value(header, out, V, vAt, vType);
    } else {
      this.#scratch.writeInt32LE(vAt === 0 || vType === BsonType.null ? 0 : readDouble(bytes, vAt) | 0);
      out.ensure(V.length + FIXED_VALUE_ROOM);
      appendAscii(out, V);
      this.#values.writeValue(out, this.#scratch, BsonType.int32, 0, 4, 1);
    }
  }

  /** MongoShake holds these as int64 whatever number the server wrote. */
  #int64OrNull(header: EntryHeader, out: ByteWriter, name: Ascii, at: number, type: number): void {
    if (at === 0 || (type !== BsonType.int32 && type !== BsonType.double)) {
      this.#valueOrNull(header, out, name, at, type);
      return;
    }
    const value = type === BsonType.int32 ? readInt32(header.bytes, at) : readDouble(header.bytes, at);
    if (!Number.isSafeInteger(value)) {
      this.#value(header, out, name, at, type);
      return;
    }
    this.#scratch.writeBigInt64LE(BigInt(value));
    out.ensure(name.length + FIXED_VALUE_ROOM);
    appendAscii(out, name);
    this.#values.writeValue(out, this.#scratch, BsonType.int64, 0, 8, 1);
  }

  #string(header: EntryHeader, out: ByteWriter, name: Ascii, at: number): void {
    if (at === 0) {
      appendAscii(out, name);
      appendAscii(out, EMPTY_STRING);
    } else {
      this.#value(header, out, name, at, BsonType.string);
    }
  }

  #value(header: EntryHeader, out: ByteWriter, name: Ascii, at: number, type: number): void {
    out.ensure(name.length + FIXED_VALUE_ROOM);
    appendAscii(out, name);
    this.#values.writeValue(out, header.bytes, type, at, header.end, 1);
  }

  #valueOrNull(header: EntryHeader, out: ByteWriter, name: Ascii, at: number, type: number): void {
    if (at === 0) {
      appendAscii(out, name);
      appendAscii(out, NULL);
    } else {
      this.#value(header, out, name, at, type);
    }
  }

  #rawDocument(header: EntryHeader, out: ByteWriter, name: Ascii, at: number, type: number): void {
    if (this.#maps === undefined || type !== BsonType.document) {
      this.#value(header, out, name, at, type);
      return;
    }
    appendAscii(out, name);
    out.ensure(2);
    out.bytes[out.length++] = QUOTE;
    writeBase64(out, header.bytes, at, at + readInt32(header.bytes, at));
    out.ensure(1);
    out.bytes[out.length++] = QUOTE;
  }

  #uniqueKeys(header: EntryHeader, out: ByteWriter): void {
    if (header.ukType !== BsonType.document) {
      if (header.ukType !== BsonType.null) this.#value(header, out, UK, header.ukAt, header.ukType);
      return;
    }
    const sorted = sortDocument(header.bytes, header.ukAt, header.end);
    if (sorted.length === EMPTY_DOCUMENT_BYTES) return;
    appendAscii(out, UK);
    out.ensure(FIXED_VALUE_ROOM);
    const maps = this.#maps ?? this.#values;
    maps.writeDocument(out, sorted, 0, sorted.length, 1);
  }
}

function isEmptyString(header: EntryHeader): boolean {
  return header.gType === BsonType.string && readInt32(header.bytes, header.gAt) === 1;
}

function isEmptyDocument(header: EntryHeader, at: number, type: number): boolean {
  if (type === BsonType.null) return true;
  return type === BsonType.document && readInt32(header.bytes, at) === EMPTY_DOCUMENT_BYTES;
}
