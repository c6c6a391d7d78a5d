import { expect, inject, onTestFinished, test } from 'vitest';
import { CollectorJob } from '../support/collector-job.ts';

/** A header of a typed array is some 120 bytes: one or two views into the server's bytes are all that an entry may cost. */
const HEAP_BYTES_PER_ENTRY_MAX = 400;
/** Where nothing of what ran first, as loading the program, is left in the difference of two runs. */
const FEW = 20_000;
const MANY = 140_000;
const BATCH = 2000;

/** One line of `--trace-gc`: heap before and after, in MB. */
const COLLECTION = /(?:Scavenge|Mark-Compact).*? ([\d.]+) \([\d.]+\) -> ([\d.]+) \([\d.]+\) MB/g;

/** All that was ever allocated on the JavaScript heap, as the collections saw it. */
function heapBytesAllocated(log: string): number {
  let allocated = 0;
  let left = 0;
  for (const [, before, after] of log.matchAll(COLLECTION)) {
    allocated += Math.max(0, Number(before) - left);
    left = Number(after);
  }
  return allocated * 2 ** 20;
}

/** Carries a backlog of small documents with a collector of its own. */
async function allocatedFor(entries: number, conf: Readonly<Record<string, string>>): Promise<number> {
  const job = await CollectorJob.start({
    mongoUrl: inject('mongoUrl'),
    brokers: inject('kafka4'),
    startsCollector: false,
    conf,
  });
  onTestFinished(async () => {
    await job.db.dropDatabase();
    await job[Symbol.asyncDispose]();
  });
  const text = 'lorem ipsum '.repeat(40);
  for (let n = 0; n < entries; n += BATCH) {
    await job.db
      .collection('c')
      .insertMany(Array.from({ length: BATCH }, (_, i) => ({ n: n + i, text, at: new Date(), ok: true })));
  }
  const collector = await job.run(['--trace-gc']);
  await job.settle();
  await collector.stop();
  return heapBytesAllocated(collector.log);
}

test.each([
  ['bson', { 'tunnel.message': 'bson' }],
  ['json', { 'tunnel.message': 'json', 'tunnel.json.format': 'canonical_extended_json' }],
])(
  'an entry on its way to Kafka as %s costs no object but a view or two of its bytes',
  async (_, conf) => {
    const few = await allocatedFor(FEW, conf);
    const many = await allocatedFor(MANY, conf);
    expect(few).toBeGreaterThan(0);
    expect((many - few) / (MANY - FEW)).toBeLessThan(HEAP_BYTES_PER_ENTRY_MAX);
  },
  120_000,
);
