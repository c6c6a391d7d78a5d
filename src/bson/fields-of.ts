import { endOfCString, readInt32, valueLength } from './read-value.ts';

/** Where a document or an array lies. */
export interface Place {
  readonly bytes: Buffer;
  /** Offset of its length. */
  readonly at: number;
}

/** One field of a document, or element of an array, as it lies in its bytes. */
export interface Field {
  readonly bytes: Buffer;
  readonly type: number;
  /** Offset of the type byte. */
  readonly at: number;
  /** Its bytes as latin1: to compare and to write back. */
  readonly name: string;
  readonly valueAt: number;
  readonly end: number;
}

/** Walks over the fields of one level. @throws MalformedBsonError */
export function* fieldsOf({ bytes, at }: Place): Generator<Field> {
  const end = at + readInt32(bytes, at) - 1;
  let fieldAt = at + 4;
  while (fieldAt < end) {
    const type = bytes[fieldAt];
    const nameEnd = endOfCString(bytes, fieldAt + 1);
    const valueAt = nameEnd + 1;
    const fieldEnd = valueAt + valueLength(bytes, type, valueAt);
    const name = bytes.toString('latin1', fieldAt + 1, nameEnd);
    yield { bytes, type, at: fieldAt, name, valueAt, end: fieldEnd };
    fieldAt = fieldEnd;
  }
}
