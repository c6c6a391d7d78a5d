import { readRecordsBatch, Reader } from '@platformatic/kafka';
import { expect, test } from 'vitest';
import { ByteWriter } from '../../../shared/byte-writer.ts';
import { PendingBatch } from './pending-batch.ts';
import { splitBatch } from './split-batch.ts';

test('both halves together hold what the batch held, in order', () => {
  const place = { ns: 'shop.orders', seconds: 1, increment: 2 };
  const batch = new PendingBatch(place, Buffer.alloc(64), { lanes: 2, withHeaders: false });
  const key = new ByteWriter(8);
  key.append(Buffer.from('key'));
  for (let i = 0; i < 7; i++) {
    const source = Buffer.alloc(i * 40, i);
    const timestampMs = 1_582_277_156_570 + (i % 2 === 0 ? i * 1e9 : -i);
    batch.builder.appendBytes({
      timestampMs,
      key: i % 3 === 0 ? key : undefined,
      source,
      start: 0,
      end: source.length,
      headersEnd: source.length,
    });
  }
  batch.laneBytes.set([1001, 2]);
  batch.receipts.push({ waitsFor: 1, onDurable() {}, settle() {} });
  const whole = recordsOf(batch);
  const halves = splitBatch(
    batch,
    (first, bytes) => new PendingBatch(first, Buffer.alloc(bytes), { lanes: 2, withHeaders: false }),
  );
  expect(halves.map((half) => half.builder.count)).toEqual([4, 3]);
  expect(halves.flatMap(recordsOf)).toEqual(whole);
  expect(halves[0].laneBytes[0] + halves[1].laneBytes[0]).toBe(1001);
  expect(halves[0].laneBytes[1] + halves[1].laneBytes[1]).toBe(2);
  expect(halves.map((half) => half.receipts.length)).toEqual([0, 1]);
  expect(halves[1]).toMatchObject(place);
});

function recordsOf({ builder }: PendingBatch): unknown[] {
  const wire = Buffer.from(builder.out.view());
  builder.finish(wire, { producerId: 1n, producerEpoch: 0, baseSequence: 0 });
  const batch = readRecordsBatch(Reader.from(wire));
  return batch.records.map(({ timestampDelta, key, value }) => [
    batch.firstTimestamp + timestampDelta,
    key?.toString(),
    value?.toString('hex'),
  ]);
}
