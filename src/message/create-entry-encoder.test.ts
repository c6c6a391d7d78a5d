import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { ByteWriter } from '../shared/byte-writer.ts';
import { createEntryEncoder, type EntryEncoderOptions } from './create-entry-encoder.ts';

interface TextOrError {
  readonly value?: string;
  readonly error?: string;
}

interface Vectors {
  readonly oplogs: Record<
    string,
    {
      readonly input_bson_hex: string;
      readonly tunnel_bson_hex__oplog_fetch: string;
      readonly tunnel_json_canonical_extended_json: TextOrError;
      readonly tunnel_json_default__TZ_UTC: TextOrError;
      readonly tunnel_json_default__TZ_plus8?: TextOrError;
    }
  >;
  readonly bson_type_table: ReadonlyArray<{
    readonly bson_type: string;
    readonly case: string;
    readonly doc_bson_hex: string;
    readonly canonical_value: string;
    readonly json_default_value: string | TextOrError;
    readonly json_default_value_TZ_plus8?: string | TextOrError;
  }>;
  readonly kafka_writer: {
    readonly bson_values_hex: string[];
    readonly json_canonical_lines: string[];
    readonly json_default_lines: string[];
  };
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../test/vectors/messages.json', import.meta.url), 'utf8'),
);

const canonical: EntryEncoderOptions = { message: 'json', jsonFormat: 'canonical_extended_json' };
const defaultText: EntryEncoderOptions = { message: 'json', jsonFormat: '', timeZone: 'UTC' };

function textOf(value: string | TextOrError | undefined): string {
  return typeof value === 'string' ? value : '';
}

function encode(entry: Buffer, options: EntryEncoderOptions): Buffer {
  const header = new EntryHeader();
  const out = new ByteWriter(16);
  scanEntryHeader(header, entry, 0);
  createEntryEncoder(options).encode(header, out);
  return Buffer.from(out.view());
}

/** An insert whose `o` is the document. */
function insertOf(document: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from('\x03o\0', 'latin1'), document, Buffer.from([0])]);
  const length = Buffer.alloc(4);
  length.writeInt32LE(body.length + 4);
  return Buffer.concat([length, body]);
}

/** The text of `o` in an entry made by {@link insertOf}. */
function textOfO(document: Buffer, options: EntryEncoderOptions): string {
  const text = encode(insertOf(document), options).toString();
  return text.slice(text.indexOf('"o":') + 4, text.lastIndexOf(',"o2":'));
}

const oplogs = Object.entries(vectors.oplogs).map(([name, vector]) => ({
  name,
  vector,
  entry: Buffer.from(vector.input_bson_hex, 'hex'),
}));

describe('an entry in the formats of MongoShake', () => {
  it.each(oplogs)('writes $name as bson byte for byte', ({ vector, entry }) => {
    const text = encode(entry, { message: 'bson', jsonFormat: '' }).toString('hex');
    expect(text).toBe(vector.tunnel_bson_hex__oplog_fetch);
  });

  it.each(oplogs)('writes $name as canonical Extended JSON byte for byte', ({ vector, entry }) => {
    expect(encode(entry, canonical).toString()).toBe(vector.tunnel_json_canonical_extended_json.value);
  });

  it.each(oplogs.filter((o) => o.vector.tunnel_json_default__TZ_UTC.value !== undefined))(
    'writes $name as default text byte for byte',
    ({ vector, entry }) => {
      const expected = vector.tunnel_json_default__TZ_UTC.value ?? '';
      expect(encode(entry, defaultText).toString()).toBe(expected);
    },
  );

  it.each(oplogs.filter((o) => o.vector.tunnel_json_default__TZ_UTC.error !== undefined))(
    'writes $name as default text, which MongoShake drops or dies of',
    ({ entry }) => {
      expect(() => void JSON.parse(encode(entry, defaultText).toString())).not.toThrow();
    },
  );

  it('writes the lines of MongoShake into Kafka', () => {
    const { bson_values_hex: inserts, json_canonical_lines, json_default_lines } = vectors.kafka_writer;
    const insert = Buffer.from(inserts[0] ?? '', 'hex');
    expect(encode(insert, canonical).toString()).toBe(json_canonical_lines[0]);
    expect(encode(insert, defaultText).toString()).toBe(json_default_lines[0]);
  });
});

const types = vectors.bson_type_table.map((row) => ({ row, document: Buffer.from(row.doc_bson_hex, 'hex') }));

describe('each BSON type in the formats of MongoShake', () => {
  it.each(types)('writes $row.bson_type $row.case as canonical Extended JSON', ({ row, document }) => {
    expect(textOfO(document, canonical)).toBe(`{"v":${row.canonical_value}}`);
  });

  it.each(types.filter(({ row }) => typeof row.json_default_value === 'string'))(
    'writes $row.bson_type $row.case as default text',
    ({ row, document }) => {
      const expected = textOf(row.json_default_value);
      expect(textOfO(document, defaultText)).toBe(`[{"Key":"v","Value":${expected}}]`);
    },
  );

  it.each(types.filter(({ row }) => typeof row.json_default_value_TZ_plus8 === 'string'))(
    'writes $row.bson_type $row.case as default text eight hours east of UTC',
    ({ row, document }) => {
      const text = textOfO(document, { ...defaultText, timeZone: 'Etc/GMT-8' });
      expect(text).toBe(`[{"Key":"v","Value":${textOf(row.json_default_value_TZ_plus8)}}]`);
    },
  );
});

describe('what MongoShake drops or dies of, in the default text', () => {
  it.each([
    [Infinity, '"Infinity"'],
    [-Infinity, '"-Infinity"'],
    [NaN, '"NaN"'],
  ])('writes the double %s as the string %s', (value, text) => {
    const document = Buffer.from('10000000017600000000000000000000', 'hex');
    document.writeDoubleLE(value, 7);
    expect(textOfO(document, defaultText)).toBe(`[{"Key":"v","Value":${text}}]`);
  });

  it.each([
    [253_402_300_800_000n, 'UTC', '10000-01-01T00:00:00Z'],
    [253_402_300_799_999n, 'Asia/Shanghai', '10000-01-01T07:59:59.999+08:00'],
    [-62_167_219_200_000n, 'UTC', '0000-01-01T00:00:00Z'],
    [-62_167_219_200_001n, 'UTC', '-0001-12-31T23:59:59.999Z'],
    [2n ** 63n - 1n, 'UTC', '292278994-08-17T07:12:55.807Z'],
    [-(2n ** 63n), 'UTC', '-292275055-05-16T16:47:04.192Z'],
    [1_753_000_000_000n, 'America/New_York', '2025-07-20T04:26:40-04:00'],
    [1_737_000_000_000n, 'America/New_York', '2025-01-15T23:00:00-05:00'],
    [1_737_000_000_000n, 'Asia/Kolkata', '2025-01-16T09:30:00+05:30'],
    [1_737_000_000_000n, 'Europe/London', '2025-01-16T04:00:00Z'],
  ])('writes the date %s in %s as %s', (ms, timeZone, text) => {
    const document = Buffer.from('10000000097600000000000000000000', 'hex');
    document.writeBigInt64LE(ms, 7);
    expect(textOfO(document, { ...defaultText, timeZone })).toBe(`[{"Key":"v","Value":"${text}"}]`);
  });
});
