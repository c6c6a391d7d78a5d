import { BSON } from 'mongodb';
import { describe, expect, inject, it, onTestFinished } from 'vitest';
import { eventually } from '../../testbed/eventually.ts';
import { CollectorJob } from '../support/collector-job.ts';
import { freePortPair, makeReceiver, RecordingHandler } from '../support/socket-tunnel-under-test.ts';

const COLLECTIONS = 4;
const ROUNDS = 400;
const DOCUMENTS = 5;
const never = new AbortController().signal;

/** The first coming of each document, by collection, as its numbers. */
function firstComings(handlers: readonly RecordingHandler[]): number[][] {
  const numbers = Array.from({ length: COLLECTIONS }, () => new Set<number>());
  for (const log of handlers.flatMap(({ logs }) => logs)) {
    const entry = BSON.deserialize(log);
    if (entry['op'] !== 'i') continue;
    numbers[Number(String(entry['ns']).at(-1))]?.add(Number(entry['o']._id));
  }
  return numbers.map((ofCollection) => [...ofCollection]);
}

describe.each(['tcp', 'rpc'] as const)('a collector with tunnel = %s', (kind) => {
  it('brings every entry in order, though it and its receiver are killed again and again (I1, I2, I3)', async () => {
    const port = await freePortPair();
    const handlers = [new RecordingHandler()];
    let receiver = makeReceiver(kind, { port });
    await receiver.open(handlers[0], never);
    onTestFinished(() => receiver[Symbol.asyncDispose]());
    const job = await CollectorJob.start({
      mongoUrl: inject('mongoUrl'),
      brokers: inject('kafka39'),
      conf: {
        tunnel: kind,
        'tunnel.address': `127.0.0.1:${port}`,
        'tunnel.message': 'raw',
        'incr_sync.worker': 3,
        'incr_sync.worker.oplog_compressor': 'zlib',
      },
    });
    onTestFinished(() => job[Symbol.asyncDispose]());
    for (let round = 0; round < ROUNDS; round++) {
      await Promise.all(
        Array.from({ length: COLLECTIONS }, (_, c) =>
          job.db
            .collection<{ _id: number }>(`orders${c}`)
            .insertMany(Array.from({ length: DOCUMENTS }, (__, i) => ({ _id: round * DOCUMENTS + i }))),
        ),
      );
      if (round % 100 === 40) {
        await job.collector.kill();
        await job.collector.start();
      }
      if (round % 100 === 80) {
        await receiver[Symbol.asyncDispose]();
        handlers.push(new RecordingHandler());
        receiver = makeReceiver(kind, { port });
        await receiver.open(handlers.at(-1) ?? handlers[0], never);
      }
    }
    const expected = Array.from({ length: ROUNDS * DOCUMENTS }, (_, i) => i);
    await eventually(() => firstComings(handlers).every((numbers) => numbers.length === expected.length), {
      what: 'every entry',
      detail: () => job.collector.log.slice(-2000),
    });
    for (const numbers of firstComings(handlers)) expect(numbers).toEqual(expected);
    expect(await job.collector.stop()).toEqual({ code: 0, signal: null });
    // What it ended with is done: the next start repeats nothing.
    const before = handlers.flatMap(({ logs }) => logs).length;
    await job.collector.start();
    await job.db.collection<{ _id: number }>('orders0').insertOne({ _id: expected.length });
    await eventually(() => firstComings(handlers)[0].length > expected.length, { what: 'the last entry' });
    expect(handlers.flatMap(({ logs }) => logs).length).toBe(before + 1);
  });
});
