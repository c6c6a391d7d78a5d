import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  Code,
  Decimal128,
  Double,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  Timestamp,
  UUID,
  type Document,
} from 'bson';
import { elementsOf, rawDocument, rawInt64, rawText, type RawElement } from './raw-bson.ts';

/** A document to insert as it is. */
export interface HostileDocument {
  readonly what: string;
  readonly bytes: Buffer;
  /** Whether Extended JSON can give it back without loss: not for repeated names, bad UTF-8, deprecated types. */
  readonly isLossless: boolean;
}

const type = {
  text: 0x02,
  undefined: 0x06,
  date: 0x09,
  dbPointer: 0x0c,
  code: 0x0d,
  document: 0x03,
} as const;
const badUtf8 = Buffer.from([
  0x61, 0xff, 0xc0, 0xaf, 0xed, 0xa0, 0x80, 0xf4, 0x90, 0x80, 0x80, 0x62, 0xe2, 0x82,
]);
const oid = new ObjectId('5e4fa224a6717632d6ee2e85');

/** Every type of BSON, with its borders, and everything odd that a server still takes. */
export function hostileDocuments(): HostileDocument[] {
  return [...losslessDocuments(), ...oddDocuments()];
}

/** Every type that may be an `_id`. */
export const idValues: readonly unknown[] = [
  new ObjectId('5e4fa224a6717632d6ee2e01'),
  'text',
  '',
  'ключ-鍵-🔑',
  new Int32(7),
  Long.fromString('9007199254740993'),
  new Double(1.5),
  new Double(Number.NaN),
  new Double(-0.5),
  Decimal128.fromString('1.50E+10'),
  true,
  null,
  new Date(0),
  new Date(-1),
  new UUID('20d9f949-cfc7-496e-a80e-32ba633701a8'),
  new Binary(Buffer.from('abc'), 0),
  new Timestamp({ t: 5, i: 6 }),
  new Code('function () {}'),
  new Code('function () {}', { a: 1 }),
  new MinKey(),
  new MaxKey(),
  { a: 1, b: { c: 'x' } },
];

function losslessDocuments(): HostileDocument[] {
  const values: Record<string, unknown> = {
    doubles: [1.5, -1.5, 1e300, 5e-324, 1.7976931348623157e308, 123456789.125].map((n) => new Double(n)),
    whole: new Double(3),
    nan: new Double(Number.NaN),
    infinities: [new Double(Infinity), new Double(-Infinity)],
    zeros: [new Double(0), new Double(-0)],
    texts: [
      '',
      'a"b\\c/d',
      '\u0000\u0001\b\t\n\u000b\f\r\u001f\u007f',
      '\u2028\u2029<>&',
      'ünï 鍵 🔑',
      'x'.repeat(70_000),
    ],
    nested: { a: { b: [{ c: [[], {}] }] } },
    binaries: [0, 1, 3, 5, 6, 7, 128, 255].map(
      (subtype) => new Binary(Buffer.from([0, 255, subtype]), subtype),
    ),
    emptyBinary: new Binary(Buffer.alloc(0), 0),
    uuid: new UUID('20d9f949-cfc7-496e-a80e-32ba633701a8'),
    oid,
    booleans: [true, false],
    nothing: null,
    dates: [0, 1, -1, 999, 1_582_277_156_570, -62_135_596_800_000, 253_402_300_799_999].map(
      (ms) => new Date(ms),
    ),
    datesOutside: [-62_135_596_800_001, -62_167_219_200_001, 253_402_300_800_000, 8.64e15, -8.64e15].map(
      (ms) => new Date(ms),
    ),
    patterns: [new BSONRegExp('^a/"\\d', 'imsx'), new BSONRegExp('', '')],
    code: new Code('function () { return "x"; }'),
    codeWithScope: new Code('function () { return a; }', { a: new Int32(1), b: { c: null } }),
    integers: [0, 1, -1, 2147483647, -2147483648].map((n) => new Int32(n)),
    longs: ['0', '-1', '9223372036854775807', '-9223372036854775808', '9007199254740993'].map((n) =>
      Long.fromString(n),
    ),
    timestamps: [new Timestamp({ t: 0, i: 1 }), new Timestamp({ t: 4294967295, i: 4294967295 })],
    decimals: [
      '0',
      '-0',
      '0E+6111',
      '1.0',
      '-19.90',
      '1E-6176',
      '9.999999999999999999999999999999999E+6144',
      'NaN',
      'Infinity',
      '-Infinity',
      '1E+3',
    ].map((text) => Decimal128.fromString(text)),
    ends: [new MinKey(), new MaxKey()],
    deep: deeply(90),
    'a.b': 1,
    ' ': 'blank',
    'ünï"\\\n': 'odd name',
  };
  return Object.entries(values).map(([what, value]) => document(what, elementsOf({ [what]: value }), true));
}

function oddDocuments(): HostileDocument[] {
  const dateOf = (ms: bigint): RawElement => ({ type: type.date, name: 'd', value: rawInt64(ms) });
  return [
    document('dates beyond JavaScript', [
      dateOf(2n ** 63n - 1n),
      dateOf(-(2n ** 63n)),
      dateOf(8_640_000_000_000_001n),
    ]),
    document('text that is no UTF-8', [{ type: type.text, name: 't', value: rawText(badUtf8) }]),
    document('a name that is no UTF-8', [{ type: type.text, name: badUtf8, value: rawText('x') }]),
    document('code that is no UTF-8', [{ type: type.code, name: 'c', value: rawText(badUtf8) }]),
    document('100 levels', elementsOf({ deep: deeply(98) })),
    document('repeated names', [
      ...elementsOf({ a: 1 }),
      ...elementsOf({ a: 'two' }),
      ...elementsOf({ a: { a: 3 } }),
    ]),
    document('empty names', elementsOf({ '': 1, a: { '': { '': 2 } } })),
    document('names like operators', elementsOf({ a: { $oid: 'x', $date: 1, $numberLong: 'z' }, $set: 1 })),
    document(
      'names like numbers and prototypes',
      elementsOf({ 2: 'b', 1: 'a', constructor: 1, toString: 2 }),
    ),
    document('__proto__', [
      { type: type.document, name: '__proto__', value: rawDocument(elementsOf({ x: 1 })) },
    ]),
    document('symbol', elementsOf({ s: new BSONSymbol('sym') })),
    document('undefined', [{ type: type.undefined, name: 'u', value: Buffer.alloc(0) }]),
    document('db pointer', [
      { type: type.dbPointer, name: 'p', value: Buffer.concat([rawText('shop.orders'), oid.id]) },
    ]),
    document('old binary', elementsOf({ b: new Binary(Buffer.from([2, 0, 0, 0, 9, 9]), 2) })),
    document('an array whose names are not 0, 1, 2', [
      { type: 0x04, name: 'a', value: rawDocument(elementsOf({ 7: 'x', y: 'y', '': 'z' })) },
    ]),
  ];
}

function document(what: string, elements: readonly RawElement[], isLossless = false): HostileDocument {
  return { what, isLossless, bytes: rawDocument([...elementsOf({ _id: what }), ...elements]) };
}

function deeply(levels: number): Document {
  let inner: Document = { bottom: true };
  for (let i = 1; i < levels; i++) inner = i % 3 === 0 ? [inner] : { n: inner };
  return inner;
}
