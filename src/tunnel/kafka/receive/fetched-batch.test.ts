import { describe, expect, test } from 'vitest';
import { client } from '../client/client.ts';
import { splitBatches, type FetchedRecord } from './fetched-batch.ts';

/** As a producer packs values into a batch; the first offset is 0. */
function batchOf(values: readonly string[]): Buffer {
  const messages = values.map((value) => ({
    topic: 't',
    partition: 0,
    key: Buffer.from('key'),
    value: Buffer.from(value),
    headers: new Map([[Buffer.from('h'), Buffer.from('v')]]),
  }));
  return client.createRecordsBatch(messages).buffer;
}

/** A message of the formats 0 and 1, before Kafka 0.11. */
function oldMessage(magic: 0 | 1, offset: number, value: string): Buffer {
  const time = Buffer.alloc(magic === 0 ? 0 : 8);
  const fields = Buffer.from([0, 0, 0, 0, magic, 0]);
  const key = Buffer.from('000000016b', 'hex');
  const length = Buffer.alloc(4);
  length.writeInt32BE(value.length);
  const message = Buffer.concat([fields, time, key, length, Buffer.from(value)]);
  const head = Buffer.alloc(12);
  head.writeBigInt64BE(BigInt(offset));
  head.writeInt32BE(message.length, 8);
  return Buffer.concat([head, message]);
}

function recordsOf(bytes: Buffer): FetchedRecord[] {
  return [...splitBatches(bytes)].flatMap((batch) => [...batch.records(batch.packedRecords)]);
}

function textsOf(bytes: Buffer): Array<[number, string | null]> {
  return recordsOf(bytes).map(({ offset, value }) => [offset, value === null ? null : value.toString()]);
}

describe('what was fetched', () => {
  test('gives the values of its records with their offsets', () => {
    const second = batchOf(['three', 'four']);
    second.writeBigInt64BE(70n, 0);
    const bytes = Buffer.concat([batchOf(['one', '']), second]);
    expect(textsOf(bytes)).toEqual([
      [0, 'one'],
      [1, ''],
      [70, 'three'],
      [71, 'four'],
    ]);
    expect([...splitBatches(bytes)].map(({ nextOffset }) => nextOffset)).toEqual([2, 72]);
  });

  test('may be cut off anywhere in its last batch', () => {
    const whole = batchOf(['one']);
    const last = batchOf(['two']);
    for (let length = 0; length < last.length; length++) {
      expect(textsOf(Buffer.concat([whole, last.subarray(0, length)]))).toEqual([[0, 'one']]);
    }
  });

  test('may lie in the formats before Kafka 0.11', () => {
    expect(textsOf(Buffer.concat([oldMessage(0, 5, 'zero'), oldMessage(1, 6, 'one')]))).toEqual([
      [5, 'zero'],
      [6, 'one'],
    ]);
  });
});

describe('a batch is refused', () => {
  test('when any of its bytes has changed, and those before it are read', () => {
    const damaged = batchOf(['two']);
    damaged[damaged.length - 1] ^= 1;
    const batches = splitBatches(Buffer.concat([batchOf(['one']), damaged]));
    expect(batches.next().value?.nextOffset).toBe(1);
    expect(() => batches.next()).toThrow('The batch at offset 0 is damaged: its checksum is wrong');
  });

  test('when its records end before their count', () => {
    const [batch] = splitBatches(batchOf(['one', 'two']));
    const cut = batch?.packedRecords.subarray(0, 10) ?? Buffer.alloc(0);
    expect(() => [...(batch?.records(cut) ?? [])]).toThrow('Records end too early');
  });
});
