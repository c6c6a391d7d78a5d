import { BSON, type Document } from 'mongodb';

/** A document with a value of every BSON type that a driver writes. */
export function everyType(): Document {
  return {
    _id: 'every type',
    double: new BSON.Double(1),
    text: 'ä "quoted" \u2028 text',
    document: { a: { b: [] } },
    array: [1, 'two', null],
    binary: new BSON.Binary(Buffer.from('binary')),
    uuid: new BSON.UUID('6f1f7a20-5b0f-4f2a-8f5e-0c1a7d6b9e11'),
    objectId: new BSON.ObjectId('5e4fa224a6717632d6ee2e85'),
    boolean: true,
    date: new Date(1_582_277_156_570),
    null: null,
    regex: new BSON.BSONRegExp('^a.b', 'i'),
    code: new BSON.Code('return 1'),
    codeWithScope: new BSON.Code('return x', { x: 1 }),
    int32: new BSON.Int32(7),
    timestamp: new BSON.Timestamp({ t: 1_582_277_156, i: 1 }),
    int64: BSON.Long.fromString('9007199254740993'),
    decimal: BSON.Decimal128.fromString('1.500'),
    minKey: new BSON.MinKey(),
    maxKey: new BSON.MaxKey(),
  };
}
