import {
  Binary,
  BSONRegExp,
  BSONSymbol,
  calculateObjectSize,
  Code,
  DBRef,
  Decimal128,
  Double,
  EJSON,
  Int32,
  Long,
  MaxKey,
  MinKey,
  ObjectId,
  serialize,
  deserialize,
  Timestamp,
} from 'bson';
import { describe, expect, it } from 'vitest';
import { MalformedBsonError } from '../bson/malformed-bson-error.ts';
import { valueToJsonText } from '../bson/value-to-json-text.ts';
import { writeCanonicalValue } from '../bson/write-canonical-value.ts';
import { BsonType } from '../bson/bson-type.ts';
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import { createEntryEncoder, type JsonFormat } from './create-entry-encoder.ts';

const FORMATS: JsonFormat[] = ['', 'canonical_extended_json', 'relaxed_extended_json', 'plain'];
const ENCODERS = new Map(
  FORMATS.map((jsonFormat) => [
    jsonFormat,
    createEntryEncoder({ message: 'json', jsonFormat, timeZone: 'UTC' }),
  ]),
);
const SEED = 20_261_123;

/** mulberry32 */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function textOf(entry: Uint8Array, jsonFormat: JsonFormat, out = new ByteWriter(16)): string {
  const header = new EntryHeader();
  // Behind other bytes, as in a batch: an offset that is taken for absolute shows.
  const bytes = Buffer.concat([Buffer.alloc(7, 0xee), entry, Buffer.alloc(9, 0xee)]);
  scanEntryHeader(header, bytes, 7);
  const start = out.length;
  ENCODERS.get(jsonFormat)?.encode(header, out);
  return out.bytes.toString('utf8', start, out.length);
}

function entryOf(o: unknown): Uint8Array {
  return serialize({ ts: new Timestamp({ t: 1, i: 1 }), op: 'i', ns: 'a.b', o });
}

/** JSON.parse of an entry's text. */
function parsed(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text);
  expect(value).toBeTypeOf('object');
  return Object.fromEntries(Object.entries(value ?? {}));
}

class RandomDocuments {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = randomNumbers(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  text(): string {
    const alphabets = [
      'abc XYZ019',
      '"\\/\b\f\n\r\t\0\x01\x1f\x7f',
      '<>&\u2028\u2029',
      'é中😀߿ࠀ\uffff\u{10ffff}',
    ];
    const letters = Array.from(alphabets.slice(0, 1 + this.below(4)).join(''));
    const length = this.below(10) === 0 ? this.below(700) : this.below(20);
    return Array.from({ length }, () => letters[this.below(letters.length)]).join('');
  }

  bytes(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.below(256)));
  }

  double(): number {
    const kind = this.below(6);
    if (kind === 0) return this.bytes(8).readDoubleLE();
    if (kind === 1) return this.below(2 ** 31) - 2 ** 30;
    if (kind === 2) return (this.below(2_000_000) - 1_000_000) / 10 ** this.below(9);
    if (kind === 3) return (this.#random() - 0.5) * 10 ** (this.below(40) - 20);
    if (kind === 4)
      return [0, -0, 1e6, 999_999.5, 1e-4, 9.9e-5, 2 ** 53, 1e21, 5e-324, NaN, Infinity][this.below(11)] ?? 0;
    return this.below(1_000_000) + this.below(1_000_000) / 1e6;
  }

  long(): Long {
    const long = Long.fromBits(this.below(2 ** 32), this.below(2 ** 32));
    return long.shiftRight(this.below(64));
  }

  binary(): Binary {
    if (this.below(4) === 0) return new Binary(this.bytes(16), Binary.SUBTYPE_UUID);
    const length = this.below(20) === 0 ? this.below(2000) : this.below(20);
    return new Binary(this.bytes(length), [0, 1, 3, 5, 128, 255][this.below(6)]);
  }

  value(depth: number): unknown {
    const kind = this.below(depth > 5 ? 19 : 22);
    switch (kind) {
      case 0:
        return new Double(this.double());
      case 1:
        return this.text();
      case 2:
        return this.binary();
      case 3:
        return new ObjectId(this.bytes(12));
      case 4:
        return this.below(2) === 0;
      case 5:
        return new Date(this.below(2 ** 31) * 1000 + this.below(1000));
      case 6:
        return new Date((this.#random() - 0.5) * 1.7e16);
      case 7:
        return null;
      case 8:
        return new BSONRegExp(this.text().replaceAll('\0', ''), ['', 'i', 'xsmi'][this.below(3)]);
      case 9:
        return new Code(this.text());
      case 10:
        return new Code(this.text(), this.document(depth + 3));
      case 11:
        return new BSONSymbol(this.text());
      case 12:
        return new Int32(this.below(2 ** 32) | 0);
      case 13:
        return new Timestamp({ t: this.below(2 ** 32), i: this.below(2 ** 32) });
      case 14:
        return this.long();
      case 15:
        return new Decimal128(
          this.bytes(16).map((b, i) => (i === 15 ? b & 0x9f : i === 14 || i < 9 ? b : 0)),
        );
      case 16:
        return Decimal128.fromString(`${this.below(10_000)}E${this.below(60) - 30}`);
      case 17:
        return this.below(2) === 0 ? new MinKey() : new MaxKey();
      case 18:
        return new DBRef('c', new ObjectId(this.bytes(12)));
      case 19:
        return Array.from({ length: this.below(5) }, () => this.value(depth + 1));
      default:
        return this.document(depth + 1);
    }
  }

  document(depth = 0): Record<string, unknown> {
    const document: Record<string, unknown> = {};
    for (let n = this.below(8); n > 0; n--)
      document[`k${this.text().replaceAll('\0', '')}`] = this.value(depth);
    return document;
  }
}

describe(`random documents (seed ${SEED})`, () => {
  const documents = new RandomDocuments(SEED);
  const entries = Array.from({ length: 800 }, () => entryOf(documents.document()));
  const options = { promoteValues: false, bsonRegExp: true };

  it('are the same after EJSON.parse of our canonical text', () => {
    for (const entry of entries) {
      const ours = EJSON.parse(textOf(entry, 'canonical_extended_json'), { relaxed: false });
      const { o } = deserialize(entry, options);
      expect(Buffer.from(serialize({ o: ours.o }))).toEqual(Buffer.from(serialize({ o })));
    }
  });

  it('read as the same JSON as EJSON writes in relaxed form', () => {
    for (const entry of entries) {
      const { o } = deserialize(entry, options);
      const theirs: unknown = JSON.parse(EJSON.stringify(o, { relaxed: true }));
      const ours = parsed(textOf(entry, 'relaxed_extended_json'))['o'];
      // Once through JSON.stringify, which makes minus zero zero, as EJSON does.
      expect(JSON.stringify(ours)).toBe(JSON.stringify(theirs));
    }
  });

  it.each(FORMATS)(
    'are valid JSON and valid UTF-8 in format "%s", and the same in any writer',
    (jsonFormat) => {
      const reused = new ByteWriter(1 << 20);
      for (const entry of entries) {
        const text = textOf(entry, jsonFormat);
        expect(parsed(text)['ns']).toBe('a.b');
        expect(text).not.toMatch(/[<>&]\ufffd/);
        reused.length = 5;
        expect(textOf(entry, jsonFormat, reused)).toBe(text);
      }
    },
  );
});

describe('doubles', () => {
  it('read back to the same bits in every format, whatever they are', () => {
    const documents = new RandomDocuments(SEED);
    for (let n = 0; n < 20_000; n++) {
      const value = documents.double();
      const finite = Number.isFinite(value);
      const entry = entryOf({ v: new Double(value) });
      const plain = parsed(textOf(entry, 'plain'))['o'];
      expect(plain).toEqual({ v: finite ? value : String(value) });
      const text = /"\$numberDouble":"([^"]*)"/.exec(textOf(entry, 'canonical_extended_json'))?.[1];
      expect(Object.is(Number(text), value)).toBe(true);
      expect(text).toMatch(/^-?(\d{1,6}\.\d+|\d(\.\d*[1-9])?E[+-]\d{2,3}|NaN|Infinity)$/);
    }
  });
});

describe('integers', () => {
  it('of 64 bits are printed exactly', () => {
    const documents = new RandomDocuments(SEED);
    const edges = [
      0n,
      1n,
      -1n,
      2n ** 31n,
      -(2n ** 31n),
      2n ** 53n,
      -(2n ** 53n),
      2n ** 63n - 1n,
      -(2n ** 63n),
    ];
    const near = edges.flatMap((e) => [e - 1n, e, e + 1n].map((n) => Long.fromBigInt(BigInt.asIntN(64, n))));
    const random = Array.from({ length: 5000 }, () => documents.long());
    const powers = Array.from({ length: 19 }, (_, i) => Long.fromBigInt(10n ** BigInt(i)));
    for (const long of [...near, ...random, ...powers]) {
      const text = textOf(entryOf({ v: long }), '');
      expect(text).toContain(`"Value":${long.toString()}}`);
    }
  });

  it('beyond 2^53 - 1 are strings in plain JSON', () => {
    const limit = Long.fromNumber(Number.MAX_SAFE_INTEGER);
    const values = [limit, limit.add(1), limit.negate(), limit.negate().subtract(1)];
    expect(values.map((v) => parsed(textOf(entryOf({ v }), 'plain'))['o'])).toEqual([
      { v: 9007199254740991 },
      { v: '9007199254740992' },
      { v: -9007199254740991 },
      { v: '-9007199254740992' },
    ]);
  });
});

describe('plain JSON', () => {
  it.each([
    [Decimal128.fromString('1.500'), '1.500'],
    [Decimal128.fromString('-0'), '-0'],
    [Decimal128.fromString('123456789012345'), '123456789012345'],
    [Decimal128.fromString('1234567890123456'), '"1234567890123456"'],
    [Decimal128.fromString('1E+3'), '"1E+3"'],
    [Decimal128.fromString('NaN'), '"NaN"'],
    [new Date(1_582_277_156_570), '"2020-02-21T09:25:56.570Z"'],
    [new Date(253_402_300_800_000), '"253402300800000"'],
    [new Date(-62_167_219_200_001), '"-62167219200001"'],
    [new Date(-62_167_219_200_000), '"0000-01-01T00:00:00.000Z"'],
    [
      new Binary(Buffer.from('20d9f949cfc7496ea80e32ba633701a8', 'hex'), 4),
      '"20d9f949-cfc7-496e-a80e-32ba633701a8"',
    ],
    [new Binary(Buffer.from([1, 2, 3]), 0), '"AQID"'],
    [new Timestamp({ t: 5, i: 6 }), '{"t":5,"i":6}'],
    [new BSONRegExp('^a/"<', 'ix'), '"/^a/\\"</ix"'],
    [new ObjectId('5e4fa224a6717632d6ee2e85'), '"5e4fa224a6717632d6ee2e85"'],
    [new MinKey(), '{"$minKey":1}'],
    [new Code('f()', { a: 1 }), '{"$code":"f()","$scope":{"a":1}}'],
  ])('writes %o as %s', (v, text) => {
    expect(textOf(entryOf({ v }), 'plain')).toContain(`"o":{"v":${text}}`);
  });
});

/** A BSON document of one element, made of bytes. */
function raw(type: number, value: Buffer, name = 'v'): Buffer {
  const body = Buffer.concat([
    Buffer.from([type]),
    Buffer.from(`${name}\0`, 'latin1'),
    value,
    Buffer.from([0]),
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 4);
  return Buffer.concat([length, body]);
}

function rawString(content: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32LE(content.length + 1);
  return Buffer.concat([length, content, Buffer.from([0])]);
}

function nested(levels: number): Buffer {
  let document = raw(BsonType.int32, Buffer.from([1, 0, 0, 0]));
  for (let i = 1; i < levels; i++)
    document = raw(i % 2 === 0 ? BsonType.document : BsonType.array, document, '0');
  return document;
}

describe('hostile content', () => {
  it.each(FORMATS)(
    'each byte that is not UTF-8 is \\ufffd in format "%s", as TextDecoder-like readers of Go see it',
    (format) => {
      const cases: Array<[string, string]> = [
        ['c0af', '\\ufffd\\ufffd'],
        ['eda080', '\\ufffd\\ufffd\\ufffd'],
        ['f4908080', '\\ufffd\\ufffd\\ufffd\\ufffd'],
        ['e4b8', '\\ufffd\\ufffd'],
        ['f09f98', '\\ufffd\\ufffd\\ufffd'],
        ['80', '\\ufffd'],
        ['e08080', '\\ufffd\\ufffd\\ufffd'],
        ['61e4b8ad62', 'a中b'],
        ['efbfbd', '\ufffd'],
      ];
      for (const [hex, text] of cases) {
        for (const padding of ['', 'p'.repeat(63), 'p'.repeat(200), 'p'.repeat(70_000)]) {
          const content = Buffer.concat([Buffer.from(padding), Buffer.from(hex, 'hex')]);
          const entry = raw(BsonType.document, raw(BsonType.string, rawString(content)), 'o');
          expect(textOf(entry, format)).toContain(`"${padding}${text}"`);
        }
      }
    },
  );

  it('names may be empty, repeated, long and full of escapes', () => {
    const one = raw(BsonType.null, Buffer.alloc(0), '');
    const twice = Buffer.concat([one.subarray(4, -1), one.subarray(4, -1)]);
    const length = Buffer.alloc(4);
    length.writeInt32LE(twice.length + 5);
    const document = Buffer.concat([length, twice, Buffer.from([0])]);
    expect(textOf(raw(BsonType.document, document, 'o'), 'plain')).toContain('"o":{"":null,"":null}');
    for (const size of [62, 63, 64, 65, 66, 1000, 100_000]) {
      const name = `${'n'.repeat(size)}"`;
      const entry = raw(BsonType.document, raw(BsonType.null, Buffer.alloc(0), name), 'o');
      for (const format of FORMATS) expect(textOf(entry, format)).toContain(`${'n'.repeat(size)}\\""`);
    }
  });

  it.each(FORMATS)(
    'documents nested 100, 200 and 900 deep are written in format "%s"; 100 000 deep are refused',
    (format) => {
      for (const levels of [100, 200, 900]) {
        expect(() => parsed(textOf(raw(BsonType.document, nested(levels), 'o'), format))).not.toThrow();
      }
      const deep = raw(BsonType.document, nested(3000), 'o');
      expect(() => textOf(deep, format)).toThrow(MalformedBsonError);
    },
  );

  it.each(FORMATS)('documents of 16 MB come out whole in format "%s"', (format) => {
    const size = 16 * 1024 * 1024 - 100;
    for (const content of [Buffer.alloc(size, 'a'), Buffer.alloc(size, 1), Buffer.alloc(size, 0xff)]) {
      const out = new ByteWriter();
      const header = new EntryHeader();
      scanEntryHeader(header, raw(BsonType.document, raw(BsonType.string, rawString(content)), 'o'), 0);
      ENCODERS.get(format)?.encode(header, out);
      expect(out.length).toBeGreaterThan(size);
      expect(out.bytes.length).toBeLessThan(3 * out.length);
    }
  });
});

/** Whether the entry became JSON; false when it was refused as malformed. Throws whatever else happens. */
function writesOrRefuses(entry: Buffer, jsonFormat: JsonFormat): boolean {
  try {
    JSON.parse(textOf(entry, jsonFormat));
    return true;
  } catch (error) {
    if (error instanceof MalformedBsonError) return false;
    throw error;
  }
}

describe('malformed BSON', () => {
  const whole = Buffer.from(entryOf(new RandomDocuments(SEED).document()));
  const cut = calculateObjectSize({ ts: new Timestamp({ t: 1, i: 1 }), op: 'i', ns: 'a.b' });

  it.each(FORMATS)('is refused or written as something, never a crash, in format "%s"', (format) => {
    const documents = new RandomDocuments(SEED + 1);
    const random = randomNumbers(SEED);
    let refused = 0;
    for (let n = 0; n < 6000; n++) {
      const bytes = n % 100 === 0 ? Buffer.from(entryOf(documents.document())) : Buffer.from(whole);
      const at = cut + Math.floor(random() * (bytes.length - cut));
      bytes[at] = Math.floor(random() * 256);
      if (random() < 0.3)
        bytes.writeInt32LE(Math.floor((random() - 0.5) * 2 ** 32), Math.min(at, bytes.length - 4));
      refused += writesOrRefuses(bytes, format) ? 0 : 1;
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('does not read into the bytes after the entry', () => {
    const liar = raw(BsonType.document, raw(BsonType.string, rawString(Buffer.from('text'))), 'o');
    liar.writeInt32LE(liar.readInt32LE(7) + 4, 7);
    expect(() => textOf(liar, 'plain')).toThrow(MalformedBsonError);
    const longString = raw(BsonType.document, raw(BsonType.string, rawString(Buffer.from('text'))), 'o');
    longString.writeInt32LE(9, 14);
    expect(() => textOf(longString, 'plain')).toThrow(MalformedBsonError);
  });
});

describe('single values', () => {
  it('are written as canonical Extended JSON for record keys', () => {
    const bytes = Buffer.from(serialize({ _id: new ObjectId('5e4fa224a6717632d6ee2e85') }));
    const out = new ByteWriter(1);
    expect(writeCanonicalValue(bytes, BsonType.document, 0, out)).toBe(bytes.length);
    expect(out.view().toString()).toBe('{"_id":{"$oid":"5e4fa224a6717632d6ee2e85"}}');
  });

  it('become text for people', () => {
    const bytes = Buffer.from(serialize({ a: 1, b: ['x', new Date(0)] }));
    expect(valueToJsonText(bytes, BsonType.document, 0)).toBe(
      '{"a":1,"b":["x",{"$date":"1970-01-01T00:00:00Z"}]}',
    );
  });
});
