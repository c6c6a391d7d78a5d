import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../shared/byte-writer.ts';
import type { Compressor } from './compressor.ts';
import { COMPRESSORS } from './compressor.ts';
import { crc32, tableCrc32 } from './crc32.ts';
import { decodeRawMessage, isNestedLog } from './decode-raw-message.ts';
import { RawMessageError } from './raw-message-error.ts';
import { RawMessageWriter } from './raw-message-writer.ts';
import { ReplyCode } from './raw-message.ts';

interface Vectors {
  readonly oplogs: Record<string, { readonly input_bson_hex: string; readonly crc32_ieee_hex: string }>;
  readonly tmessage: ReadonlyArray<{
    readonly name: string;
    readonly checksum_dec: number;
    readonly compressor: Compressor;
    readonly compress_id: number;
    readonly input_logs_hex: string[];
    readonly shard: number;
    readonly tag_hex: string;
    readonly to_bytes_big_endian_hex: string;
  }>;
  readonly frombytes_behaviour: ReadonlyArray<{ readonly name: string; readonly bytes_hex: string }>;
  readonly kafka_writer: Record<
    'raw_three_logs_compressor_none' | 'raw_three_logs_compressor_gzip',
    {
      readonly frames: ReadonlyArray<{ readonly logs_really_inside: number; readonly value_hex: string }>;
      readonly full_to_bytes_hex: string;
    }
  >;
}

const vectors: Vectors = JSON.parse(
  readFileSync(new URL('../../test/vectors/messages.json', import.meta.url), 'utf8'),
);

function write(
  logs: Buffer[],
  options: { compressor: Compressor; tag: number; shard: number; at?: number },
): Buffer {
  const out = new ByteWriter(8);
  out.append(Buffer.alloc(options.at ?? 0, 0xaa));
  const writer = new RawMessageWriter({ compressor: options.compressor });
  writer.begin(out, options);
  for (const log of logs) writer.append(log, 0, log.length);
  writer.finish();
  return Buffer.from(out.view().subarray(options.at ?? 0));
}

function bytesNamed(name: string): Buffer {
  return Buffer.from(vectors.frombytes_behaviour.find((v) => v.name === name)?.bytes_hex ?? 'missing', 'hex');
}

/** The reply code of the error that decoding ends in. */
function replyTo(bytes: Buffer): number | undefined {
  try {
    decodeRawMessage(bytes);
  } catch (error) {
    if (error instanceof RawMessageError) return error.replyCode;
    throw error;
  }
  return undefined;
}

const log = Buffer.from(vectors.tmessage[0]?.input_logs_hex[0] ?? '', 'hex');

describe('a raw message', () => {
  it.each(vectors.tmessage)('$name is read back as MongoShake wrote it', (vector) => {
    const message = decodeRawMessage(Buffer.from(vector.to_bytes_big_endian_hex, 'hex'));
    expect(message).toMatchObject({
      checksum: vector.checksum_dec,
      tag: Number.parseInt(vector.tag_hex, 16),
      shard: vector.shard,
      compressor: COMPRESSORS[vector.compress_id],
      declaredLogs: vector.input_logs_hex.length,
      incomplete: false,
    });
    expect(message.logs.map((l) => l.toString('hex'))).toEqual(vector.input_logs_hex);
  });

  it.each(vectors.tmessage.filter((v) => v.compress_id === 0 || v.compressor === 'snappy'))(
    '$name is written byte for byte at any offset',
    (vector) => {
      const logs = vector.input_logs_hex.map((h) => Buffer.from(h, 'hex'));
      const { compressor, shard } = vector;
      const tag = Number.parseInt(vector.tag_hex, 16);
      for (const at of [0, 3, 1000]) {
        expect(write(logs, { compressor, tag, shard, at }).toString('hex')).toBe(
          vector.to_bytes_big_endian_hex,
        );
      }
    },
  );

  it.each(COMPRESSORS)('comes back whole through %s', (compressor) => {
    const logs = [log, Buffer.alloc(100_000, 'x'), log.subarray(0, 50)];
    const message = decodeRawMessage(write(logs, { compressor, tag: 0x1000, shard: 7 }));
    expect(message).toMatchObject({ tag: 0x1000, shard: 7, compressor, incomplete: false });
    expect(message.logs).toEqual(logs);
  });

  it('is dropped by abandon, and the writer begins anew', () => {
    const out = new ByteWriter();
    out.append(Buffer.from('before'));
    const writer = new RawMessageWriter();
    writer.begin(out, { tag: 0, shard: 0 });
    writer.append(log);
    writer.abandon();
    expect(out.view().toString()).toBe('before');
    writer.begin(out, { tag: 0, shard: 0 });
    writer.append(log);
    writer.finish();
    expect(decodeRawMessage(out.view().subarray(6)).logs).toEqual([log]);
  });

  it('ignores what follows its last log, as MongoShake does', () => {
    expect(decodeRawMessage(bytesNamed('trailing_garbage')).logs).toHaveLength(1);
  });
});

describe('bytes that are not a whole raw message', () => {
  it.each(['empty', 'truncated_header_10B'])('%s is refused: the header is not there', (name) => {
    expect(replyTo(bytesNamed(name))).toBe(ReplyCode.error);
  });

  it.each(['truncated_log', 'count_2_but_1_log'])('%s is reported as incomplete', (name) => {
    expect(decodeRawMessage(bytesNamed(name)).incomplete).toBe(true);
  });

  it('a length that no log can have is refused', () => {
    expect(replyTo(bytesNamed('length_overflow_ffffffff'))).toBe(ReplyCode.error);
  });

  it('every cut of a message is incomplete or refused, and nothing is read beyond it', () => {
    const whole = write([log, log, log], { compressor: 'none', tag: 0, shard: 0 });
    for (let end = 0; end < whole.length; end++) {
      const cut = whole.subarray(0, end);
      expect(replyTo(cut) === ReplyCode.error || decodeRawMessage(cut).incomplete).toBe(true);
    }
  });

  it('a wrong checksum is refused with -6, and 0 is not checked', () => {
    const bytes = write([log], { compressor: 'none', tag: 0, shard: 0 });
    bytes.writeUInt8(bytes.readUInt8(30) ^ 1, 30);
    expect(replyTo(bytes)).toBe(ReplyCode.checksumInvalid);
    bytes.writeUInt32BE(0, 0);
    expect(decodeRawMessage(bytes).logs).toHaveLength(1);
  });

  it('an unknown compressor is refused with -7', () => {
    const bytes = write([log], { compressor: 'none', tag: 0, shard: 0 });
    bytes.writeUInt32BE(9, 12);
    expect(replyTo(bytes)).toBe(ReplyCode.compressorNotSupported);
  });

  it.each([1, 3, 4])('data that compressor %i did not make is refused with -8', (id) => {
    const bytes = write([Buffer.alloc(40, 0xff)], { compressor: 'none', tag: 0, shard: 0 });
    bytes.writeUInt32BE(0, 0);
    bytes.writeUInt32BE(id, 12);
    expect(replyTo(bytes)).toBe(ReplyCode.decompressInvalid);
  });

  it('a log that grows beyond the limit is refused', () => {
    const bomb = write([Buffer.alloc(1_000_000)], { compressor: 'gzip', tag: 0, shard: 0 });
    expect(() => decodeRawMessage(bomb, { logBytesMax: 100_000 })).toThrow(RawMessageError);
    const two = write([Buffer.alloc(1000), Buffer.alloc(1000)], { compressor: 'zlib', tag: 0, shard: 0 });
    expect(() => decodeRawMessage(two, { messageBytesMax: 1500 })).toThrow(RawMessageError);
  });
});

describe('the records that a MongoShake collector sends to Kafka for one batch', () => {
  it.each(['raw_three_logs_compressor_none', 'raw_three_logs_compressor_gzip'] as const)(
    '%s: prefixes are incomplete, the last holds all logs',
    (name) => {
      const messages = vectors.kafka_writer[name].frames.map((f) =>
        decodeRawMessage(Buffer.from(f.value_hex, 'hex')),
      );
      expect(messages.map((m) => m.incomplete)).toEqual([true, true, false]);
      expect(messages.map((m) => m.logs.length)).toEqual([1, 2, 3]);
    },
  );
});

describe('parts of a message', () => {
  it.each(Object.entries(vectors.oplogs))('the CRC-32 of %s is that of zlib', (_, vector) => {
    const bytes = Buffer.from(`00${vector.input_bson_hex}`, 'hex');
    const expected = Number.parseInt(vector.crc32_ieee_hex, 16);
    expect(crc32(bytes, 1, bytes.length)).toBe(expected);
    expect(tableCrc32(bytes, 1, bytes.length)).toBe(expected);
  });

  it('a log is nested when its first field is the document parsedlog', () => {
    const nested = Buffer.concat([Buffer.alloc(4), Buffer.from('\x03parsedlog\0', 'latin1')]);
    expect(isNestedLog(nested)).toBe(true);
    expect(isNestedLog(log)).toBe(false);
    expect(isNestedLog(Buffer.alloc(0))).toBe(false);
  });
});
