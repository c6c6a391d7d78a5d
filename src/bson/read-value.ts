import { BsonType } from './bson-type.ts';
import { MalformedBsonError } from './malformed-bson-error.ts';

/** Little-endian signed 32-bit number at `at`; plain byte arithmetic is faster here than Buffer's checks. */
export function readInt32(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

export function readUint32(bytes: Uint8Array, at: number): number {
  return readInt32(bytes, at) >>> 0;
}

/** Offset of the NUL that ends the C string starting at `at`. */
export function endOfCString(bytes: Uint8Array, at: number): number {
  let i = at;
  while (bytes[i] !== 0) {
    if (i >= bytes.length) throw new MalformedBsonError('a name does not end', at);
    i++;
  }
  return i;
}

/**
 * Length in bytes of the value of `type` that starts at `at`.
 * @throws MalformedBsonError for an unknown type or a length that cannot be.
 */
export function valueLength(bytes: Uint8Array, type: number, at: number): number {
  switch (type) {
    case BsonType.double:
    case BsonType.date:
    case BsonType.timestamp:
    case BsonType.int64:
      return 8;
    case BsonType.int32:
      return 4;
    case BsonType.boolean:
      return 1;
    case BsonType.objectId:
      return 12;
    case BsonType.decimal128:
      return 16;
    case BsonType.null:
    case BsonType.undefined:
    case BsonType.minKey:
    case BsonType.maxKey:
      return 0;
    case BsonType.string:
    case BsonType.javascript:
    case BsonType.symbol:
      return checked(bytes, at, readInt32(bytes, at) + 4, 5);
    case BsonType.document:
    case BsonType.array:
    case BsonType.javascriptWithScope:
      return checked(bytes, at, readInt32(bytes, at), 5);
    case BsonType.binary:
      return checked(bytes, at, readInt32(bytes, at) + 5, 5);
    case BsonType.dbPointer:
      return checked(bytes, at, readInt32(bytes, at) + 4 + 12, 17);
    case BsonType.regex:
      return endOfCString(bytes, endOfCString(bytes, at) + 1) + 1 - at;
    default:
      throw new MalformedBsonError(`unknown element type 0x${type.toString(16).padStart(2, '0')}`, at);
  }
}

function checked(bytes: Uint8Array, at: number, length: number, min: number): number {
  if (length < min || at + length > bytes.length) {
    throw new MalformedBsonError(`a value of ${length} bytes cannot be here`, at);
  }
  return length;
}
