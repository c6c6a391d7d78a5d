import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeRawMessage } from '../../../message/decode-raw-message.ts';
import { TruncatedMessages } from './truncated-messages.ts';

const vectors: { three_logs: Record<string, string[]> } = JSON.parse(
  readFileSync('test/vectors/kafka-prefixes.json', 'utf8'),
);

/** Which of the records are whole, and the offsets of what was lost. */
function sort(records: readonly Buffer[]): { whole: Buffer[]; lost: number[] } {
  const lost: number[] = [];
  const messages = new TruncatedMessages((offset) => lost.push(offset));
  return { whole: records.filter((record, offset) => !messages.isBeginning(record, offset)), lost };
}

function prefixes(compressor: string): Buffer[] {
  return (vectors.three_logs[compressor] ?? []).map((hex) => Buffer.from(hex, 'hex'));
}

function ofShard(record: Buffer | undefined, shard: number): Buffer {
  const other = Buffer.from(record ?? []);
  other.writeUInt32BE(shard, 8);
  return other;
}

describe.each(['none', 'gzip'])('what a MongoShake collector writes with compressor %s', (compressor) => {
  test('only the last record of a batch is whole, and holds all its logs', () => {
    const records = prefixes(compressor);
    const { whole, lost } = sort(records);
    expect(whole).toEqual([records[2]]);
    expect(whole.map((record) => decodeRawMessage(record).logs.length)).toEqual([3]);
    expect(lost).toEqual([]);
  });

  test('a batch that never became whole is said to be lost, once, when the next one of its shard comes', () => {
    const [first, second, whole] = prefixes(compressor);
    const next = Buffer.from(whole ?? []);
    next.writeUInt32BE(0, 0);
    expect(sort([first, second, next, next].map((record) => record ?? Buffer.alloc(0)))).toEqual({
      whole: [next, next],
      lost: [1],
    });
  });

  test('batches of two shards that lie between each other are both whole', () => {
    const records = prefixes(compressor).flatMap((record) => [record, ofShard(record, 7)]);
    expect(sort(records)).toEqual({ whole: records.slice(4), lost: [] });
  });
});

test('bytes that are shorter than a header are not held back, nor do they end what is open', () => {
  const [first, second, whole] = prefixes('none');
  const records = [first, Buffer.alloc(3), second, whole].map((record) => record ?? Buffer.alloc(0));
  expect(sort(records)).toEqual({ whole: [records[1], records[3]], lost: [] });
});

test('thousands of shards that are never whole are not kept', () => {
  const [first] = prefixes('none');
  const { whole, lost } = sort(Array.from({ length: 5000 }, (_, shard) => ofShard(first, shard)));
  expect(whole).toEqual([]);
  expect(lost.length).toBeGreaterThan(3900);
});
