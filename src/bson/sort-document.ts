import { BsonType } from './bson-type.ts';
import { lastByteOf } from './json-flavour.ts';
import { MalformedBsonError } from './malformed-bson-error.ts';
import { endOfCString, valueLength } from './read-value.ts';

interface Field {
  readonly name: Buffer;
  /** Type, name and NUL as they are. */
  readonly head: Buffer;
  readonly value: Buffer;
}

/**
 * A copy of the document at `at` in the order in which Go writes maps: the names of every document in it
 * sorted by their bytes, of equal names only the last. Allocates: for fields that are hardly ever there.
 * @param end the document must end here or before.
 * @throws MalformedBsonError
 */
export function sortDocument(bytes: Buffer, at: number, end: number): Buffer {
  return sorted(bytes, { at, end, depth: 0, isArray: false });
}

function sorted(bytes: Buffer, place: { at: number; end: number; depth: number; isArray: boolean }): Buffer {
  const { at, end, depth, isArray } = place;
  const last = lastByteOf(bytes, at, end, depth);
  let fields: Field[] = [];
  let from = at + 4;
  while (from < last) {
    const headAt = from;
    const type = bytes[from];
    const nameEnd = endOfCString(bytes, from + 1);
    const valueAt = nameEnd + 1;
    from = valueAt + valueLength(bytes, type, valueAt);
    if (from > last) throw new MalformedBsonError('a value passes the end of its document', valueAt);
    const nested = type === BsonType.document || type === BsonType.array;
    fields.push({
      name: bytes.subarray(headAt + 1, nameEnd),
      head: bytes.subarray(headAt, valueAt),
      value: nested
        ? sorted(bytes, { at: valueAt, end: from, depth: depth + 1, isArray: type === BsonType.array })
        : bytes.subarray(valueAt, from),
    });
  }
  if (!isArray) fields = lastOfEach(fields);
  const body = Buffer.concat(fields.flatMap((field) => [field.head, field.value]));
  const document = Buffer.alloc(body.length + 5);
  document.writeInt32LE(document.length, 0);
  body.copy(document, 4);
  return document;
}

function lastOfEach(fields: Field[]): Field[] {
  const byName = fields.toSorted((a, b) => a.name.compare(b.name));
  return byName.filter((field, i) => !(byName[i + 1]?.name.equals(field.name) ?? false));
}
