import { BsonType } from '../bson/bson-type.ts';
import { endOfCString, readInt32, valueLength } from '../bson/read-value.ts';

/**
 * Looks for the field `name` (ASCII) at the top level of the BSON document that starts at `documentAt`.
 * Allocates nothing.
 * @returns the offset of the value, or 0 when there is none; its type is the byte at
 * {@link typeOfField}.
 * @throws MalformedBsonError when the walk meets bytes that are not BSON.
 */
export function findField(bytes: Buffer, documentAt: number, name: string): number {
  const end = documentAt + readInt32(bytes, documentAt) - 1;
  const length = name.length;
  let at = documentAt + 4;
  while (at < end) {
    const type = bytes[at];
    const keyAt = at + 1;
    let i = 0;
    while (i < length && bytes[keyAt + i] === name.charCodeAt(i)) i++;
    if (i === length && bytes[keyAt + i] === 0) return keyAt + i + 1;
    const valueAt = endOfCString(bytes, keyAt + i) + 1;
    at = valueAt + valueLength(bytes, type, valueAt);
  }
  return 0;
}

/** The BSON type of the value that {@link findField} found for `name`. */
export function typeOfField(bytes: Buffer, valueAt: number, name: string): number {
  return bytes[valueAt - name.length - 2];
}

/** Whether the document has `name: true`. */
export function hasTrueField(bytes: Buffer, documentAt: number, name: string): boolean {
  const at = findField(bytes, documentAt, name);
  return at !== 0 && typeOfField(bytes, at, name) === BsonType.boolean && bytes[at] === 1;
}
