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

const vectors = JSON.parse(
  readFileSync(new URL('../../test/vectors/messages.json', import.meta.url), 'utf8'),
) as Vectors;

const canonical: EntryEncoderOptions = { message: 'json', jsonFormat: 'canonical_extended_json' };
const defaultText: EntryEncoderOptions = { message: 'json', jsonFormat: '', timeZone: 'UTC' };

/** The vectors come from a build with Go >= 1.22; MongoShake 2.8.4 was built before (see json-escapes.ts). */
function asBeforeGo122(text: string): string {
  return text.replace(/\\(u[0-9a-f]{4}|.)/g, (whole, escape: string) =>
    escape === 'b' ? String.raw`\u0008` : escape === 'f' ? String.raw`\u000c` : whole,
  );
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

describe('an entry in the formats of MongoShake', () => {
  for (const [name, vector] of Object.entries(vectors.oplogs)) {
    const entry = Buffer.from(vector.input_bson_hex, 'hex');

    it(`writes ${name} as bson byte for byte`, () => {
      expect(encode(entry, { message: 'bson', jsonFormat: '' }).toString('hex')).toBe(
        vector.tunnel_bson_hex__oplog_fetch,
      );
    });

    it(`writes ${name} as canonical Extended JSON byte for byte`, () => {
      expect(encode(entry, canonical).toString()).toBe(vector.tunnel_json_canonical_extended_json.value);
    });

    it(`writes ${name} as default text byte for byte, or what MongoShake cannot`, () => {
      const expected = vector.tunnel_json_default__TZ_UTC.value;
      const text = encode(entry, defaultText).toString();
      if (expected === undefined) expect(() => JSON.parse(text) as unknown).not.toThrow();
      else expect(text).toBe(asBeforeGo122(expected));
    });
  }

  it('writes the lines of MongoShake into Kafka', () => {
    const {
      bson_values_hex: inserts,
      json_canonical_lines: lines,
      json_default_lines: defaults,
    } = vectors.kafka_writer;
    const insert = Buffer.from(inserts[0] ?? '', 'hex');
    expect(encode(insert, canonical).toString()).toBe(lines[0]);
    expect(encode(insert, defaultText).toString()).toBe(defaults[0]);
  });
});

describe('each BSON type in the formats of MongoShake', () => {
  for (const row of vectors.bson_type_table) {
    const document = Buffer.from(row.doc_bson_hex, 'hex');

    it(`writes ${row.bson_type} ${row.case} as canonical Extended JSON`, () => {
      expect(textOfO(document, canonical)).toBe(`{"v":${row.canonical_value}}`);
    });

    if (typeof row.json_default_value === 'string') {
      const expected = `[{"Key":"v","Value":${asBeforeGo122(row.json_default_value)}}]`;
      it(`writes ${row.bson_type} ${row.case} as default text`, () => {
        expect(textOfO(document, defaultText)).toBe(expected);
      });
    }

    if (typeof row.json_default_value_TZ_plus8 === 'string') {
      const expected = `[{"Key":"v","Value":${row.json_default_value_TZ_plus8}}]`;
      it(`writes ${row.bson_type} ${row.case} as default text eight hours east of UTC`, () => {
        expect(textOfO(document, { ...defaultText, timeZone: 'Etc/GMT-8' })).toBe(expected);
      });
    }
  }
});
