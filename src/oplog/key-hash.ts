import { BsonType } from '../bson/bson-type.ts';
import { endOfCString, readInt32, readUint32, valueLength } from '../bson/read-value.ts';
import { decimalToNumber } from './decimal-to-number.ts';
import { Op, type EntryHeader } from './entry-header.ts';
import { findField, typeOfField } from './find-field.ts';

/** What an invalid byte of UTF-8 counts as, as in Go. */
const REPLACEMENT = 0xfffd;

/**
 * MongoShake's hash of a text given as UTF-8 bytes: `h = 31 * h + codePoint`, unsigned 32 bits, from 0.
 * An invalid byte counts as U+FFFD, as Go's range over a string has it.
 */
export function hashText(bytes: Buffer, start: number, end: number): number {
  let hash = 0;
  let at = start;
  while (at < end) {
    const byte = bytes[at];
    if (byte < 0x80) {
      hash = (Math.imul(31, hash) + byte) | 0;
      at++;
    } else {
      const length = sequenceLength(bytes, at, end);
      hash = (Math.imul(31, hash) + (length === 0 ? REPLACEMENT : codePoint(bytes, at, length))) | 0;
      at += length === 0 ? 1 : length;
    }
  }
  return hash >>> 0;
}

/** MongoShake's hash of an ObjectId: that of its 24 lower-case hex digits. */
export function hashObjectId(bytes: Buffer, at: number): number {
  let hash = 0;
  for (let i = at; i < at + 12; i++) {
    hash = (Math.imul(31, hash) + hexDigit(bytes[i] >> 4)) | 0;
    hash = (Math.imul(31, hash) + hexDigit(bytes[i] & 15)) | 0;
  }
  return hash >>> 0;
}

/**
 * Finds the `_id` of the document that a change concerns and stores its place in `header.idAt` and
 * `header.idType`: of `o` for inserts and deletes; of `o2` for updates, or of `o` when `o2` has none.
 * @returns false when there is none.
 */
export function findDocumentId(header: EntryHeader): boolean {
  header.idAt = 0;
  if (header.op === Op.update && header.o2At !== 0 && header.o2Type === BsonType.document) {
    noteId(header, header.o2At);
  } else if (header.op !== Op.update && header.op !== Op.insert && header.op !== Op.delete) return false;
  if (header.idAt === 0 && header.oAt !== 0 && header.oType === BsonType.document) noteId(header, header.oAt);
  return header.idAt !== 0;
}

function noteId(header: EntryHeader, documentAt: number): void {
  const at = findField(header.bytes, documentAt, '_id');
  if (at === 0) return;
  header.idAt = at;
  header.idType = typeOfField(header.bytes, at, '_id');
}

/**
 * The hash that spreads documents over lanes by `_id`, unsigned 32 bits. Text and ObjectId exactly as
 * MongoShake; a missing or null `_id` gives `namespaceHash`, as there.
 *
 * A deliberate difference: MongoShake sends every other type of `_id` to worker 0; here they are spread
 * too. Values that MongoDB holds for the same key hash alike (int 5, long 5, double 5.0, decimal 5.00; also inside
 * a document), so that one key always goes to one lane (I2).
 */
export function hashDocumentId(header: EntryHeader, namespaceHash: number): number {
  if (!findDocumentId(header)) return namespaceHash;
  const { bytes, idAt, idType } = header;
  switch (idType) {
    case BsonType.objectId:
      return hashObjectId(bytes, idAt);
    case BsonType.string:
    case BsonType.symbol:
      return hashText(bytes, idAt + 4, idAt + 3 + readInt32(bytes, idAt));
    case BsonType.null:
      return namespaceHash;
    default:
      return avalanche(mixValue(FNV_OFFSET, bytes, idType, idAt)) >>> 0;
  }
}

const FNV_OFFSET = 0x811c9dc5 | 0;
const FNV_PRIME = 0x01000193;
const float64 = new Float64Array(1);
const words = new Int32Array(float64.buffer);

function mixValue(seed: number, bytes: Buffer, type: number, at: number): number {
  switch (type) {
    case BsonType.int32:
      return mixNumber(seed, readInt32(bytes, at));
    case BsonType.int64:
      return mixNumber(seed, readInt32(bytes, at + 4) * 2 ** 32 + readUint32(bytes, at));
    case BsonType.double:
      words[0] = readInt32(bytes, at);
      words[1] = readInt32(bytes, at + 4);
      return mixNumber(seed, float64[0]);
    case BsonType.decimal128:
      return mixNumber(seed, decimalToNumber(bytes, at));
    case BsonType.document:
    case BsonType.array:
      return mixDocument(mixByte(seed, type), bytes, at);
    case BsonType.symbol:
      return mixBytes(mixByte(seed, BsonType.string), bytes, at, at + valueLength(bytes, type, at));
    default:
      return mixBytes(mixByte(seed, type), bytes, at, at + valueLength(bytes, type, at));
  }
}

/** Numbers of all types are mixed as the nearest double; -0 is 0 and all NaN are one. */
function mixNumber(seed: number, value: number): number {
  float64[0] = value === 0 ? 0 : Number.isNaN(value) ? Number.NaN : value;
  return mixWord(mixWord(mixByte(seed, BsonType.double), words[0]), words[1]);
}

function mixDocument(seed: number, bytes: Buffer, documentAt: number): number {
  const end = documentAt + readInt32(bytes, documentAt) - 1;
  let hash = seed;
  let at = documentAt + 4;
  while (at < end) {
    const type = bytes[at];
    const valueAt = endOfCString(bytes, at + 1) + 1;
    hash = mixValue(mixBytes(hash, bytes, at + 1, valueAt), bytes, type, valueAt);
    at = valueAt + valueLength(bytes, type, valueAt);
  }
  return hash;
}

function mixBytes(seed: number, bytes: Buffer, start: number, end: number): number {
  let hash = seed;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], FNV_PRIME);
  return hash;
}

function mixByte(seed: number, byte: number): number {
  return Math.imul(seed ^ byte, FNV_PRIME);
}

function mixWord(seed: number, word: number): number {
  return avalanche(seed ^ word);
}

/** The finisher of MurmurHash3 (public domain): every bit of the input reaches every bit of the result. */
function avalanche(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function hexDigit(nibble: number): number {
  return nibble < 10 ? 0x30 + nibble : 0x57 + nibble;
}

/** Length of the well-formed UTF-8 sequence at `at`, or 0: no overlong forms, surrogates, or above U+10FFFF. */
function sequenceLength(bytes: Buffer, at: number, end: number): number {
  const first = bytes[at];
  const length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  if (length === 0 || at + length > end) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1];
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  return length;
}

function codePoint(bytes: Buffer, at: number, length: number): number {
  let point = bytes[at] & (0xff >> (length + 1));
  for (let i = 1; i < length; i++) point = (point << 6) | (bytes[at + i] & 0x3f);
  return point;
}
