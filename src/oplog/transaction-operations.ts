import { BsonType } from '../bson/bson-type.ts';
import { readInt32, valueLength } from '../bson/read-value.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import { EntryHeader, Op, scanEntryHeader } from './entry-header.ts';
import { findField, typeOfField } from './find-field.ts';
import { MalformedEntryError } from './malformed-entry-error.ts';

/** The server itself allows 10 levels of applyOps in applyOps. */
const NESTED_APPLY_OPS_MAX = 10;

/**
 * Which `v` an operation gets. `mongoshake`: 0, as MongoShake's json messages have it. `parent`: that of the
 * committing entry, and its `wall` too, so that the operation reads as an entry of its own.
 */
export type OperationVersion = 'mongoshake' | 'parent';

/**
 * Takes applyOps entries apart and writes each inner operation as a flat oplog document: ts, t, h, v, op, ns,
 * ui, o, o2, fromMigrate, wall; fields that are absent stay absent. Nested applyOps are flattened, noops left out.
 *
 * ```ts
 * operations.begin(committing);             // the entry that commits: the single applyOps, the last part, the commit
 * for each part in oplog order {
 *   operations.read(part, { last });        // last: no part follows
 *   while (operations.next(out)) ...        // one flat document appended to `out` each time
 * }
 * ```
 *
 * Timestamps: an operation takes effect when its transaction commits, so it carries ts, t and h of the
 * committing entry: the last operation of the last part exactly that ts, all others the ts with I-1 (unless I
 * is 0). For a single entry that is MongoShake's rule, byte for byte. Over several entries MongoShake uses
 * the ts of each part, or of the prepare, which runs backwards against entries already sent and makes a receiver that
 * drops what lies below its last ts lose them; ours only grows. In both cases no operation but the very last
 * one has the ts of the commit, so an acknowledged operation never makes the commit look covered.
 */
export class TransactionOperations {
  readonly #copiesParent: boolean;
  /** Elements that every operation shares: ts (rewritten each time) first, then t, h, v; and wall. */
  readonly #head = new ByteWriter(128);
  readonly #tail = new ByteWriter(32);
  #increment = 0;
  readonly #inner = new EntryHeader();
  /** Offsets of the operations of the entry that is being read; reused. */
  readonly #starts: number[] = [];
  #count = 0;
  #next = 0;
  #bytes: Buffer = Buffer.alloc(0);
  #lastPart = false;

  constructor(options: { version: OperationVersion }) {
    this.#copiesParent = options.version === 'parent';
  }

  /** Takes the place in time that all operations get from the committing entry, whose bytes are not kept. */
  begin(committing: EntryHeader): void {
    const { bytes } = committing;
    const head = this.#head;
    head.length = 0;
    this.#tail.length = 0;
    writeElementHead(head, BsonType.timestamp, 'ts');
    head.append(bytes, committing.tsAt, committing.tsAt + 8);
    this.#increment = committing.increment;
    if (committing.tAt !== 0) copyElement(head, bytes, committing.tType, 't', committing.tAt);
    if (committing.hAt !== 0) copyElement(head, bytes, committing.hType, 'h', committing.hAt);
    if (!this.#copiesParent) {
      writeElementHead(head, BsonType.int32, 'v');
      head.append(ZERO_INT32);
      return;
    }
    if (committing.vAt !== 0) copyElement(head, bytes, committing.vType, 'v', committing.vAt);
    if (committing.wallAt !== 0) copyElement(this.#tail, bytes, BsonType.date, 'wall', committing.wallAt);
  }

  /**
   * Finds and checks the operations of one applyOps entry; none is handed out before all are known to be sound.
   * The entry's bytes must stay as they are until the last {@link next}.
   * @returns how many operations it has.
   * @throws MalformedEntryError when the entry has no shape that a server writes.
   */
  read(part: EntryHeader, options: { last: boolean }): number {
    this.#bytes = part.bytes;
    this.#lastPart = options.last;
    this.#next = 0;
    this.#count = 0;
    if (part.oAt === 0 || part.oType !== BsonType.document)
      throw new MalformedEntryError(part, 'it has no o');
    this.#collect(part, part.oAt, 0);
    return this.#count;
  }

  /** Appends the next operation to `out`. @returns false when there is none left. */
  next(out: ByteWriter): boolean {
    if (this.#next === this.#count) return false;
    const inner = this.#inner;
    scanEntryHeader(inner, this.#bytes, this.#starts[this.#next]);
    this.#next++;
    this.#write(inner, out, this.#lastPart && this.#next === this.#count);
    return true;
  }

  #collect(part: EntryHeader, oAt: number, depth: number): void {
    const { bytes } = part;
    const arrayAt = findField(bytes, oAt, 'applyOps');
    if (arrayAt === 0) throw new MalformedEntryError(part, 'o has no applyOps');
    const type = typeOfField(bytes, arrayAt, 'applyOps');
    if (type !== BsonType.array) {
      throw new MalformedEntryError(part, `applyOps is not an array but of BSON type ${type}`);
    }
    if (depth > NESTED_APPLY_OPS_MAX) throw new MalformedEntryError(part, 'applyOps is nested too deep');
    const inner = this.#inner;
    const end = arrayAt + readInt32(bytes, arrayAt) - 1;
    let at = arrayAt + 4;
    while (at < end) {
      const elementType = bytes[at];
      const operationAt = bytes.indexOf(0, at + 1) + 1;
      if (elementType !== BsonType.document) {
        throw new MalformedEntryError(
          part,
          `an element of applyOps is not a document but of BSON type ${elementType}`,
        );
      }
      at = scanEntryHeader(inner, bytes, operationAt);
      this.#note(part, operationAt, depth);
    }
  }

  /** Takes the operation in `#inner`, or goes into it when it is an applyOps itself. */
  #note(part: EntryHeader, operationAt: number, depth: number): void {
    const inner = this.#inner;
    if (inner.opAt === 0) throw new MalformedEntryError(part, 'an operation of applyOps has no op');
    if (inner.op === Op.noop) return;
    if (inner.nsAt === 0) throw new MalformedEntryError(part, 'an operation of applyOps has no ns');
    if (inner.oAt === 0 || inner.oType !== BsonType.document) {
      throw new MalformedEntryError(part, 'an operation of applyOps has no document o');
    }
    if (inner.op === Op.command && findField(inner.bytes, inner.oAt, 'applyOps') !== 0) {
      this.#collect(part, inner.oAt, depth + 1);
      return;
    }
    if (this.#count < this.#starts.length) this.#starts[this.#count] = operationAt;
    else this.#starts.push(operationAt);
    this.#count++;
  }

  #write(inner: EntryHeader, out: ByteWriter, isLast: boolean): void {
    const start = out.length;
    const head = this.#head.bytes;
    // `ts` is the first element: 1 type byte, "ts\0", then the increment.
    head.writeUInt32LE(isLast || this.#increment === 0 ? this.#increment : this.#increment - 1, 4);
    out.append(ZERO_INT32);
    out.append(head, 0, this.#head.length);
    copyElement(out, inner.bytes, BsonType.string, 'op', inner.opAt);
    copyElement(out, inner.bytes, BsonType.string, 'ns', inner.nsAt);
    if (inner.uiAt !== 0) copyElement(out, inner.bytes, inner.uiType, 'ui', inner.uiAt);
    copyElement(out, inner.bytes, inner.oType, 'o', inner.oAt);
    if (inner.o2At !== 0) copyElement(out, inner.bytes, inner.o2Type, 'o2', inner.o2At);
    if (inner.fromMigrate)
      copyElement(out, inner.bytes, BsonType.boolean, 'fromMigrate', inner.fromMigrateAt);
    out.append(this.#tail.bytes, 0, this.#tail.length);
    out.append(ZERO_INT32, 0, 1);
    out.bytes.writeInt32LE(out.length - start, start);
  }
}

const ZERO_INT32 = Buffer.alloc(4);

function writeElementHead(out: ByteWriter, type: number, name: string): void {
  out.ensure(name.length + 2);
  let at = out.length;
  out.bytes[at++] = type;
  for (let i = 0; i < name.length; i++) out.bytes[at++] = name.charCodeAt(i);
  out.bytes[at++] = 0;
  out.length = at;
}

function copyElement(out: ByteWriter, bytes: Buffer, type: number, name: string, valueAt: number): void {
  writeElementHead(out, type, name);
  out.append(bytes, valueAt, valueAt + valueLength(bytes, type, valueAt));
}
