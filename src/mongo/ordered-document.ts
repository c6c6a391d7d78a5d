import { BSON, type Document } from 'mongodb';
import { BsonType } from '../bson/bson-type.ts';
import { fieldsOf, type Field, type Place } from '../bson/fields-of.ts';

const TYPES_KEPT = { promoteValues: false, bsonRegExp: true } as const;

/**
 * Decodes one BSON document so that the driver writes it back as it was: with all types, and with documents inside as Maps, because an object
 * of JavaScript has no order of its own among names like `1`.
 * @throws MalformedBsonError
 */
export function orderedDocument(bytes: Buffer): Document {
  return Object.fromEntries(entriesOf({ bytes, at: 0 }));
}

function* entriesOf(place: Place): Generator<[string, unknown]> {
  for (const field of fieldsOf(place)) {
    yield [Buffer.from(field.name, 'latin1').toString('utf8'), valueOf(field)];
  }
}

function valueOf({ bytes, type, valueAt, end }: Field): unknown {
  if (type === BsonType.document) return new Map(entriesOf({ bytes, at: valueAt }));
  if (type === BsonType.array) return [...entriesOf({ bytes, at: valueAt })].map(([, value]) => value);
  const length = end - valueAt;
  const single = Buffer.alloc(4 + 3 + length + 1);
  single.writeInt32LE(single.length);
  single[4] = type;
  single.write('v', 5);
  bytes.copy(single, 7, valueAt, end);
  return BSON.deserialize(single, TYPES_KEPT)['v'];
}
