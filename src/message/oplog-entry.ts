import { BSON, type Document, type Timestamp } from 'bson';
import { BsonType } from '../bson/bson-type.ts';
import { readInt32, readUint32 } from '../bson/read-value.ts';
import { findField, typeOfField } from '../oplog/find-field.ts';
import { positionOf, type Position } from '../oplog/position.ts';

const BSON_BYTES_MIN = 5;
const TYPES_KEPT = { promoteValues: false, bsonRegExp: true } as const;
/** The options of `bson` under which `x: 1` is 1 and a date is a Date. */
const TYPES_EASY = { promoteLongs: true, useBigInt64: false } as const;

/**
 * One entry of the oplog, as its BSON. Nothing is decoded before it is asked for, and nothing decoded is kept.
 * Every accessor throws an error of `bson`, or MalformedBsonError, when the bytes are not BSON.
 */
export class OplogEntry {
  /** The entry's BSON document, as the server wrote it; a view, whose memory lives as long as the entry. */
  readonly bytes: Buffer;

  /** @param bytes one BSON document: what a log of a raw message or a bson message holds */
  constructor(bytes: Buffer) {
    this.bytes = withoutNesting(bytes);
  }

  /** `i`, `u`, `d`, `c`, `n`. */
  get op(): string {
    return this.#text('op');
  }

  /** `database.collection`. */
  get ns(): string {
    return this.#text('ns');
  }

  get database(): string {
    const { ns } = this;
    const dot = ns.indexOf('.');
    return dot < 0 ? ns : ns.slice(0, dot);
  }

  get collection(): string {
    const { ns } = this;
    const dot = ns.indexOf('.');
    return dot < 0 ? '' : ns.slice(dot + 1);
  }

  /** The entry's place in the oplog as one number, `seconds << 32 | increment`; 0n when it has none. Operations of one transaction may share it. */
  get position(): Position {
    const at = findField(this.bytes, 0, 'ts');
    if (at === 0 || typeOfField(this.bytes, at, 'ts') !== BsonType.timestamp) return 0n;
    return positionOf(readUint32(this.bytes, at + 4), readUint32(this.bytes, at));
  }

  /** The same as a BSON Timestamp. */
  get ts(): Timestamp {
    return new BSON.Timestamp(this.position);
  }

  /** When the primary wrote it, by its clock; undefined in entries of MongoDB before 3.6 and in JSON messages. */
  get wall(): Date | undefined {
    const at = findField(this.bytes, 0, 'wall');
    if (at === 0 || typeOfField(this.bytes, at, 'wall') !== BsonType.date) return undefined;
    return new Date(Number(this.bytes.readBigInt64LE(at)));
  }

  /** `o` with every BSON type kept (Int32, Double, Long, ...), so that it can be written back as it was. */
  get document(): Document {
    return this.#document('o', TYPES_KEPT) ?? {};
  }

  /** `o` with JavaScript's numbers, strings and dates. */
  get plainDocument(): Document {
    return this.#document('o', TYPES_EASY) ?? {};
  }

  /** `o2`: of an update, what it was done to; every BSON type kept. */
  get query(): Document | undefined {
    return this.#document('o2', TYPES_KEPT);
  }

  /** `_id` of the document that was changed, every BSON type kept; undefined for commands. */
  get documentId(): unknown {
    const document = this.op === 'u' ? (this.query ?? this.document) : this.document;
    return this.op === 'c' ? undefined : document['_id'];
  }

  /** The whole entry with all its fields, every BSON type kept. */
  toObject(): Document {
    return BSON.deserialize(this.bytes, TYPES_KEPT);
  }

  /** Whether the bytes are one BSON document as far as its first level shows. */
  get isReadable(): boolean {
    const { bytes } = this;
    if (bytes.length < BSON_BYTES_MIN || readInt32(bytes, 0) !== bytes.length) return false;
    if (bytes[bytes.length - 1] !== 0) return false;
    try {
      // A name that cannot be there: walks over all fields.
      findField(bytes, 0, '\u{1}');
      return true;
    } catch {
      return false;
    }
  }

  /** Whether the bytes are one BSON document to the innermost level. Decodes all of it. */
  get isSound(): boolean {
    try {
      this.toObject();
      return this.isReadable;
    } catch {
      return false;
    }
  }

  #text(name: string): string {
    const { bytes } = this;
    const at = findField(bytes, 0, name);
    if (at === 0 || typeOfField(bytes, at, name) !== BsonType.string) return '';
    return bytes.toString('utf8', at + 4, at + 4 + readInt32(bytes, at) - 1);
  }

  #document(name: string, options: BSON.DeserializeOptions): Document | undefined {
    const { bytes } = this;
    const at = findField(bytes, 0, name);
    if (at === 0 || typeOfField(bytes, at, name) !== BsonType.document) return undefined;
    return BSON.deserialize(bytes.subarray(at, at + readInt32(bytes, at)), options);
  }
}

/** MongoShake writes the parts of a transaction as `{parsedlog: {…}, …}`: what is meant is inside. */
function withoutNesting(bytes: Buffer): Buffer {
  if (bytes[4] !== BsonType.document || bytes.toString('latin1', 5, 15) !== 'parsedlog\0') return bytes;
  const length = readInt32(bytes, 15);
  return 15 + length <= bytes.length ? bytes.subarray(15, 15 + length) : bytes;
}
