import { BsonType } from './bson-type.ts';

/** A document of fields that are BSON already: type, name and value each. */
export function makeDocument(fields: readonly Buffer[]): Buffer {
  const length = 4 + fields.reduce((sum, field) => sum + field.length, 0) + 1;
  const size = Buffer.alloc(4);
  size.writeInt32LE(length);
  return Buffer.concat([size, ...fields, END], length);
}

const END = Buffer.alloc(1);

/** The field `name` with a document, or an array, as its value. */
export function documentField(
  name: string,
  document: Buffer,
  type: typeof BsonType.document | typeof BsonType.array = BsonType.document,
): Buffer {
  return Buffer.concat([Buffer.from(`${String.fromCharCode(type)}${name}\0`, 'latin1'), document]);
}
