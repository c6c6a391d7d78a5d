import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { eventually } from '../testbed/eventually.ts';
import { runCollector, type RunningCollector } from '../testbed/run-collector.ts';
import { startKafka, type TestKafka } from '../testbed/start-kafka.ts';
import { startMongo } from '../testbed/start-mongo.ts';
import { prepareBacklog } from './backlog.ts';
import { confOfSet } from './conf-of-set.ts';
import { deliveredEntries } from './delivered-entries.ts';
import { usageOf } from './process-usage.ts';
import { printTable } from './table.ts';
import { writeFigures } from './write-figures.ts';

const help = `npm run bench:memory -- [options]

Watches the resident memory of a collector that cannot get rid of what it reads: the broker is frozen while there is a backlog and more is
written all the time, then it wakes; then with large documents.

  --freeze-seconds N  how long the broker stands still (300)
  --entries N         entries of the backlog (300000)
  --message FORM      json, bson or raw (json)
  --set KEY=VALUE     another line of collector.conf; may be given often
  --json FILE         where the figures go (bench/results/memory.json)
`;

const options = parseArgs({
  options: {
    'freeze-seconds': { type: 'string', default: '300' },
    entries: { type: 'string', default: '300000' },
    message: { type: 'string', default: 'json' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'string', default: 'bench/results/memory.json' },
    help: { type: 'boolean', default: false },
  },
}).values;

const MEBIBYTE = 2 ** 20;
/** Documents of the second part: their size, and how many. */
const LARGE = [
  { bytes: MEBIBYTE, count: 300 },
  { bytes: 15.9 * MEBIBYTE, count: 30 },
];
const SAMPLE_MS = 500;
const CATCH_UP_TIMEOUT_MS = 600_000;

interface MemoryFigures {
  readonly what: string;
  readonly seconds: number;
  readonly peakRssMb: number;
}

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  await using mongo = await startMongo({ oplogSizeMb: 4000 });
  await using kafka = await startKafka();
  await using client = await MongoClient.connect(mongo.url);
  const topic = 'memory';
  await kafka.createTopic({ topic, config: { 'max.message.bytes': String(64 * MEBIBYTE) } });
  console.log(`Preparing ${options.entries} entries`);
  await prepareBacklog({ url: mongo.url, entries: Number(options.entries) });
  await using collector = await runCollector({
    conf: {
      mongo_urls: mongo.url,
      tunnel: 'kafka',
      'tunnel.address': `${topic}@${kafka.brokers}`,
      'tunnel.message': options.message,
      'tunnel.kafka.producer.maxmessagebytes': 64 * MEBIBYTE,
      'filter.namespace.white': 'bench',
      'checkpoint.storage.collection': 'ckpt_memory',
      ...confOfSet(options.set),
    },
  });
  await eventually(async () => (await deliveredEntries(collector)) > 0, { what: 'the first delivery' });
  const figures = await frozen(kafka, collector, mongo.url);
  for (const { bytes, count } of LARGE) figures.push(await large(collector, client, { bytes, count }));
  printTable(
    figures.map(({ what, seconds, peakRssMb }) => ({
      what,
      seconds: seconds.toFixed(1),
      'peak MB': Math.round(peakRssMb),
    })),
  );
  writeFigures(options.json, { options, figures });
}

/** Freezes the broker in the middle of a backlog, goes on writing, and lets it catch up. */
async function frozen(kafka: TestKafka, collector: RunningCollector, url: string): Promise<MemoryFigures[]> {
  const seconds = Number(options['freeze-seconds']);
  kafka.freeze();
  const stop = new AbortController();
  const writing = writeOn(url, stop.signal);
  const whileFrozen = await watch(collector, 'broker frozen', () => sleep(seconds * 1000));
  stop.abort();
  const more = await writing;
  kafka.thaw();
  const all = Number(options.entries) + more;
  console.log(`The broker wakes; ${all} entries in all`);
  const catchingUp = await watch(collector, 'catching up', () => reach(collector, all));
  return [whileFrozen, catchingUp];
}

/** Writes small batches until it is told to stop. @returns how many entries */
async function writeOn(url: string, stop: AbortSignal): Promise<number> {
  let written = 0;
  while (!stop.aborted) {
    written += await prepareBacklog({ url, entries: 2000 });
    await sleep(1000);
  }
  return written;
}

async function large(
  collector: RunningCollector,
  client: MongoClient,
  { bytes, count }: { bytes: number; count: number },
): Promise<MemoryFigures> {
  const before = await deliveredEntries(collector);
  const text = 'x'.repeat(bytes - 1024);
  return watch(collector, `${count} documents of ${(bytes / MEBIBYTE).toFixed(1)} MiB`, async () => {
    for (let i = 0; i < count; i++) await client.db('bench').collection('large').insertOne({ text });
    await reach(collector, before + count);
  });
}

/** Resident memory, from outside, while something goes on. */
async function watch(
  collector: RunningCollector,
  what: string,
  action: () => Promise<unknown>,
): Promise<MemoryFigures> {
  let peak = 0;
  const startedAtMs = performance.now();
  const sampling = setInterval(() => {
    peak = Math.max(peak, usageOf(collector.pid).rssBytes);
  }, SAMPLE_MS);
  try {
    await action();
  } finally {
    clearInterval(sampling);
  }
  peak = Math.max(peak, usageOf(collector.pid).rssBytes);
  return { what, seconds: (performance.now() - startedAtMs) / 1000, peakRssMb: peak / MEBIBYTE };
}

async function reach(collector: RunningCollector, entries: number): Promise<void> {
  await eventually(async () => (await deliveredEntries(collector)) >= entries, {
    what: `${entries} deliveries`,
    timeoutMs: CATCH_UP_TIMEOUT_MS,
    everyMs: 100,
  });
}
