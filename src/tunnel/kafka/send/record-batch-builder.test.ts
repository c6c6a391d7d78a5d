import { readRecordsBatch, Reader } from '@platformatic/kafka';
import { describe, expect, test } from 'vitest';
import type { EntryEncoder } from '../../../message/entry-encoder.ts';
import { EntryHeader } from '../../../oplog/entry-header.ts';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import { crc32c } from '../client/crc32c.ts';
import { RecordBatchBuilder } from './record-batch-builder.ts';

const producer = { producerId: 4711n, producerEpoch: 3, baseSequence: 99 };

/** Writes what it is told, in place of an entry. */
class GivenValue implements EntryEncoder {
  value: Buffer = Buffer.alloc(0);

  encode(_header: EntryHeader, out: ByteWriter): void {
    out.append(this.value);
  }
}

const anEntry = new EntryHeader();

function keyOf(text: string): ByteWriter {
  const key = new ByteWriter(1);
  key.append(Buffer.from(text));
  return key;
}

function finished(builder: RecordBatchBuilder): Buffer {
  const wire = builder.out.view();
  builder.finish(wire, producer);
  return wire;
}

function decode(wire: Buffer): ReturnType<typeof readRecordsBatch> {
  return readRecordsBatch(Reader.from(wire));
}

/** Appends values of these lengths and reads them back with the client's own reader. */
function valuesBack(lengths: readonly number[]): { sent: string[]; received: unknown[] } {
  const builder = new RecordBatchBuilder(new ByteWriter(1024));
  const encoder = new GivenValue();
  const sent: string[] = [];
  for (const [i, length] of lengths.entries()) {
    encoder.value = Buffer.alloc(length, i % 251);
    sent.push(encoder.value?.toString('hex'));
    builder.append(anEntry, encoder, undefined);
  }
  return { sent, received: decode(finished(builder)).records.map(({ value }) => value?.toString('hex')) };
}

describe('a record batch', () => {
  test('carries values of every width of length, growing and shrinking', () => {
    const lengths = [
      0, 1, 50, 53, 54, 55, 63, 64, 8170, 8180, 8185, 8191, 8192, 2, 70_000, 3, 1_048_560, 0, 9000,
    ];
    const { sent, received } = valuesBack(lengths);
    expect(received).toEqual(sent);
  });

  test('carries any mixture of lengths around the widths', () => {
    const edges = [0, 40, 50, 60, 70, 8175, 8180, 8185, 8190, 8195];
    const lengths = Array.from({ length: 400 }, (_, i) => edges[(i * 7919) % edges.length] + ((i * 31) % 6));
    const { sent, received } = valuesBack(lengths);
    expect(received).toEqual(sent);
  });

  test('has the time of each record, its key, and the header that the broker checks', () => {
    const builder = new RecordBatchBuilder(new ByteWriter(64));
    const value = { source: Buffer.from('v'), start: 0, end: 1, headersEnd: 1 };
    builder.appendBytes({ ...value, timestampMs: 1_582_277_156_570, key: undefined });
    builder.appendBytes({ ...value, timestampMs: 1_582_277_156_560, key: keyOf('{"_id":1}') });
    builder.appendBytes({ ...value, timestampMs: 9_999_999_999_999, key: keyOf('') });
    const wire = finished(builder);
    const batch = decode(wire);
    expect(batch).toMatchObject({
      firstOffset: 0n,
      magic: 2,
      attributes: 0,
      lastOffsetDelta: 2,
      firstTimestamp: 1_582_277_156_570n,
      maxTimestamp: 9_999_999_999_999n,
      producerId: 4711n,
      producerEpoch: 3,
      firstSequence: 99,
    });
    expect(batch.records.map((r) => [r.offsetDelta, Number(r.timestampDelta), r.key?.toString()])).toEqual([
      [0, 0, undefined],
      [1, -10, '{"_id":1}'],
      [2, 9_999_999_999_999 - 1_582_277_156_570, ''],
    ]);
    expect(wire.readInt32BE(8)).toBe(wire.length - 12);
    expect(wire.readUInt32BE(17)).toBe(crc32c(wire.subarray(21)));
  });

  test('can be numbered anew for another producer', () => {
    const builder = new RecordBatchBuilder(new ByteWriter(64));
    builder.append(anEntry, new GivenValue(), undefined);
    const wire = finished(builder);
    builder.finish(wire, { producerId: 5n, producerEpoch: 0, baseSequence: 0 });
    expect(decode(wire)).toMatchObject({ producerId: 5n, producerEpoch: 0, firstSequence: 0 });
    expect(wire.readUInt32BE(17)).toBe(crc32c(wire.subarray(21)));
  });

  test('is as before when a value cannot be encoded', () => {
    const builder = new RecordBatchBuilder(new ByteWriter(64));
    const encoder = new GivenValue();
    encoder.value = Buffer.from('first');
    builder.append(anEntry, encoder, undefined);
    const broken: EntryEncoder = {
      encode(_header, out) {
        out.append(Buffer.from('half a val'));
        throw new Error('malformed');
      },
    };
    expect(() => builder.append(anEntry, broken, undefined)).toThrow('malformed');
    encoder.value = Buffer.from('second');
    builder.append(anEntry, encoder, undefined);
    expect(decode(finished(builder)).records.map(({ value }) => value?.toString())).toEqual([
      'first',
      'second',
    ]);
  });

  test('loses only its last record when that is taken away', () => {
    const builder = new RecordBatchBuilder(new ByteWriter(64));
    const encoder = new GivenValue();
    for (const text of ['one', 'two', 'three']) {
      encoder.value = Buffer.from(text);
      builder.append(anEntry, encoder, undefined);
    }
    expect(builder.out.bytes.toString('utf8', builder.lastValueAt, builder.lastValueEnd)).toBe('three');
    builder.dropLast();
    expect(decode(finished(builder)).records.map(({ value }) => value?.toString())).toEqual(['one', 'two']);
  });
});
