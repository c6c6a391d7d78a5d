import { BsonType } from '../bson/bson-type.ts';
import { MalformedBsonError } from '../bson/malformed-bson-error.ts';
import { endOfCString, readInt32, readUint32, valueLength } from '../bson/read-value.ts';
import { positionOf, type Position } from './position.ts';

/** The one-letter `op` of an entry, as the character code that is compared on the hot path. */
export const Op = {
  insert: 0x69, // i
  update: 0x75, // u
  delete: 0x64, // d
  command: 0x63, // c
  noop: 0x6e, // n
} as const;

/**
 * Where the fields of one oplog entry lie in its bytes. One instance is reused for every entry:
 * {@link scanEntryHeader} overwrites it. For each field `fooAt` is the offset of its value in `bytes`
 * (0: the entry does not have it) and `fooType` its BSON type where more than one is met in the wild.
 * Nothing is decoded but the timestamp and the operation.
 */
export class EntryHeader {
  bytes: Buffer = Buffer.alloc(0);
  /** First byte of the entry, and the byte after its last. */
  start = 0;
  end = 0;

  /** The entry's `ts`: seconds and increment, both unsigned. */
  seconds = 0;
  increment = 0;
  /** For an operation of a transaction: its index there, and the increment of the entry that committed it; else 0 and `increment`. */
  operationIndex = 0;
  committedIncrement = 0;
  /** Character code of `op`, one of {@link Op}; 0 when absent or longer than one letter (`ci`, `km` of newer servers). */
  op = 0;
  /** The text of `ns` without its ending NUL; empty when absent. */
  nsStart = 0;
  nsEnd = 0;

  tsAt = 0;
  tAt = 0;
  tType = 0;
  hAt = 0;
  hType = 0;
  vAt = 0;
  vType = 0;
  opAt = 0;
  gAt = 0;
  gType = 0;
  nsAt = 0;
  oAt = 0;
  oType = 0;
  o2At = 0;
  o2Type = 0;
  ukAt = 0;
  ukType = 0;
  lsidAt = 0;
  lsidType = 0;
  fromMigrateAt = 0;
  fromMigrateType = 0;
  txnNumberAt = 0;
  txnNumberType = 0;
  documentKeyAt = 0;
  documentKeyType = 0;
  prevOpTimeAt = 0;
  prevOpTimeType = 0;
  multiOpTypeAt = 0;
  multiOpTypeType = 0;
  uiAt = 0;
  uiType = 0;
  /** Wall clock of the primary, a BSON date (since MongoDB 3.6). */
  wallAt = 0;
  /** Where the document's `_id` lies, set by `findDocumentId` only. */
  idAt = 0;
  idType = 0;

  /** The entry's place in the oplog. Allocates: not for every entry of the hot path. */
  get position(): Position {
    return positionOf(this.seconds, this.increment);
  }

  get fromMigrate(): boolean {
    return (
      this.fromMigrateAt !== 0 &&
      this.fromMigrateType === BsonType.boolean &&
      this.bytes[this.fromMigrateAt] !== 0
    );
  }

  /** `ns` as a string. Allocates. */
  get ns(): string {
    return this.bytes.toString('utf8', this.nsStart, this.nsEnd);
  }

  /** Wall clock of the entry in milliseconds; without `wall` that of its timestamp, which has whole seconds. */
  get wallMs(): number {
    if (this.wallAt === 0) return this.seconds * 1000;
    return readInt32(this.bytes, this.wallAt + 4) * 2 ** 32 + readUint32(this.bytes, this.wallAt);
  }

  /** Length of the entry in bytes. */
  get length(): number {
    return this.end - this.start;
  }

  clear(bytes: Buffer, start: number, end: number): void {
    this.bytes = bytes;
    this.start = start;
    this.end = end;
    this.seconds = this.increment = this.op = this.nsStart = this.nsEnd = 0;
    this.operationIndex = this.committedIncrement = 0;
    this.tsAt = this.tAt = this.hAt = this.vAt = this.opAt = this.gAt = this.nsAt = 0;
    this.oAt = this.o2At = this.ukAt = this.lsidAt = this.fromMigrateAt = this.txnNumberAt = 0;
    this.documentKeyAt = this.prevOpTimeAt = this.uiAt = this.wallAt = 0;
    this.multiOpTypeAt = this.idAt = this.idType = 0;
  }
}

/**
 * Finds the fields of the oplog entry that starts at `start`, in one pass over its top level.
 * @returns the offset after the entry.
 * @throws MalformedBsonError when the bytes are not one whole BSON document.
 */
export function scanEntryHeader(header: EntryHeader, bytes: Buffer, start: number): number {
  const length = readInt32(bytes, start);
  const end = start + length;
  if (length < 5 || end > bytes.length || bytes[end - 1] !== 0) {
    throw new MalformedBsonError(`an oplog entry of ${length} bytes cannot be here`, start);
  }
  header.clear(bytes, start, end);
  let at = start + 4;
  while (at < end - 1) {
    const type = bytes[at];
    const keyAt = at + 1;
    let valueAt = keyAt;
    while (bytes[valueAt] !== 0) valueAt++;
    const keyLength = valueAt - keyAt;
    valueAt++;
    if (valueAt > end) endOfCString(bytes, bytes.length);
    noteField(header, bytes, keyAt, keyLength, type, valueAt);
    at = valueAt + valueLength(bytes, type, valueAt);
  }
  if (at !== end - 1) throw new MalformedBsonError('an oplog entry does not end where it says', start);
  return end;
}

/** Stores the place of a field that we know; others are passed over. */
function noteField(
  header: EntryHeader,
  bytes: Buffer,
  keyAt: number,
  keyLength: number,
  type: number,
  valueAt: number,
): void {
  const first = bytes[keyAt];
  switch (keyLength) {
    case 1:
      noteField1(header, first, type, valueAt);
      return;
    case 2:
      noteField2(header, bytes, (first << 8) | bytes[keyAt + 1], type, valueAt);
      return;
    case 4:
      if (first === 0x6c && type === BsonType.document && keyIs(bytes, keyAt, 'lsid')) {
        header.lsidAt = valueAt;
        header.lsidType = type;
      } else if (first === 0x77 && type === BsonType.date && keyIs(bytes, keyAt, 'wall')) {
        header.wallAt = valueAt;
      }
      return;
    case 9:
      if (first === 0x74 && keyIs(bytes, keyAt, 'txnNumber')) {
        header.txnNumberAt = valueAt;
        header.txnNumberType = type;
      }
      return;
    case 10:
      if (first === 0x70 && keyIs(bytes, keyAt, 'prevOpTime')) {
        header.prevOpTimeAt = valueAt;
        header.prevOpTimeType = type;
      }
      return;
    case 11:
      if (first === 0x66 && keyIs(bytes, keyAt, 'fromMigrate')) {
        header.fromMigrateAt = valueAt;
        header.fromMigrateType = type;
      } else if (first === 0x64 && keyIs(bytes, keyAt, 'documentKey')) {
        header.documentKeyAt = valueAt;
        header.documentKeyType = type;
      } else if (first === 0x6d && keyIs(bytes, keyAt, 'multiOpType')) {
        header.multiOpTypeAt = valueAt;
        header.multiOpTypeType = type;
      }
      return;
    default:
  }
}

function noteField1(header: EntryHeader, key: number, type: number, valueAt: number): void {
  switch (key) {
    case 0x74: // t
      header.tAt = valueAt;
      header.tType = type;
      return;
    case 0x68: // h
      header.hAt = valueAt;
      header.hType = type;
      return;
    case 0x76: // v
      header.vAt = valueAt;
      header.vType = type;
      return;
    case 0x67: // g
      header.gAt = valueAt;
      header.gType = type;
      return;
    case 0x6f: // o
      header.oAt = valueAt;
      header.oType = type;
      return;
    default:
  }
}

function noteField2(header: EntryHeader, bytes: Buffer, key: number, type: number, valueAt: number): void {
  switch (key) {
    case 0x7473: // ts
      if (type !== BsonType.timestamp) return;
      header.tsAt = valueAt;
      header.increment = header.committedIncrement = readUint32(bytes, valueAt);
      header.seconds = readUint32(bytes, valueAt + 4);
      return;
    case 0x6f70: // op
      if (type !== BsonType.string) return;
      header.opAt = valueAt;
      header.op = readInt32(bytes, valueAt) === 2 ? bytes[valueAt + 4] : 0;
      return;
    case 0x6e73: // ns
      if (type !== BsonType.string) return;
      header.nsAt = valueAt;
      header.nsStart = valueAt + 4;
      header.nsEnd = valueAt + 4 + readInt32(bytes, valueAt) - 1;
      return;
    case 0x6f32: // o2
      header.o2At = valueAt;
      header.o2Type = type;
      return;
    case 0x756b: // uk
      header.ukAt = valueAt;
      header.ukType = type;
      return;
    case 0x7569: // ui
      header.uiAt = valueAt;
      header.uiType = type;
      return;
    default:
  }
}

function keyIs(bytes: Buffer, keyAt: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) {
    if (bytes[keyAt + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}
