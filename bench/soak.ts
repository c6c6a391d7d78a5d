import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { eventually } from '../testbed/eventually.ts';
import { runCollector, type RunningCollector } from '../testbed/run-collector.ts';
import { startKafka } from '../testbed/start-kafka.ts';
import { startMongo } from '../testbed/start-mongo.ts';
import { prepareBacklog } from './backlog.ts';
import { confOfSet } from './conf-of-set.ts';
import { deliveredEntries } from './delivered-entries.ts';
import { usageOf } from './process-usage.ts';
import { printTable } from './table.ts';
import { writeFigures } from './write-figures.ts';

const help = `npm run bench:soak -- [options]

Carries many entries with one collector, written while it runs, and prints for each part of them what an entry costs and how much memory
is resident: neither may grow. Topic and oplog are kept short, so that it takes little of the disk.

  --entries N      in all (10000000)
  --part N         entries of a part (1000000)
  --message FORM   json, bson or raw (json)
  --set KEY=VALUE  another line of collector.conf; may be given often
  --json FILE      where the figures go (bench/results/soak.json)
`;

const options = parseArgs({
  options: {
    entries: { type: 'string', default: '10000000' },
    part: { type: 'string', default: '1000000' },
    message: { type: 'string', default: 'json' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'string', default: 'bench/results/soak.json' },
    help: { type: 'boolean', default: false },
  },
}).values;

const MEBIBYTE = 2 ** 20;
const DELIVERY_TIMEOUT_MS = 300_000;
/** One alone waits for mongod most of the time. */
const WRITERS = 4;

interface PartFigures {
  readonly entries: number;
  readonly perSecond: number;
  readonly cpuUsPerEntry: number;
  readonly rssMb: number;
  readonly peakRssMb: number;
}

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  await using mongo = await startMongo({ oplogSizeMb: 2000 });
  await using kafka = await startKafka();
  const topic = 'soak';
  await kafka.createTopic({
    topic,
    config: { 'retention.bytes': String(256 * MEBIBYTE), 'segment.bytes': String(64 * MEBIBYTE) },
  });
  await using collector = await runCollector({
    conf: {
      mongo_urls: mongo.url,
      tunnel: 'kafka',
      'tunnel.address': `${topic}@${kafka.brokers}`,
      'tunnel.message': options.message,
      'tunnel.json.format': 'canonical_extended_json',
      'filter.namespace.white': 'bench',
      'checkpoint.storage.collection': 'ckpt_soak',
      ...confOfSet(options.set),
    },
  });
  const figures: PartFigures[] = [];
  for (let done = 0; done < Number(options.entries);) {
    const part = await carry(collector, { url: mongo.url, done });
    figures.push(part);
    done = part.entries;
    console.log(
      `  ${done} entries: ${part.cpuUsPerEntry.toFixed(1)} us CPU each, ${part.rssMb.toFixed(0)} MB`,
    );
  }
  printTable(
    figures.map(({ entries, perSecond, cpuUsPerEntry, rssMb, peakRssMb }) => ({
      entries,
      'a second': Math.round(perSecond),
      'CPU us': cpuUsPerEntry.toFixed(1),
      'RSS MB': rssMb.toFixed(0),
      'peak MB': peakRssMb.toFixed(0),
    })),
  );
  writeFigures(options.json, { options, figures });
}

/** Writes one part, waits until all of it is durable, and drops it at the source. */
async function carry(
  collector: RunningCollector,
  { url, done }: { url: string; done: number },
): Promise<PartFigures> {
  const entries = Math.min(Number(options.part), Number(options.entries) - done);
  const startedAtMs = performance.now();
  const before = usageOf(collector.pid);
  const share = Math.ceil(entries / WRITERS);
  const shares = Array.from({ length: WRITERS }, (_, i) => Math.min(share, entries - i * share));
  await Promise.all(shares.map((some) => prepareBacklog({ url, entries: some, alternating: false })));
  await eventually(async () => (await deliveredEntries(collector)) >= done + entries, {
    what: `${done + entries} deliveries`,
    timeoutMs: DELIVERY_TIMEOUT_MS,
    everyMs: 100,
  });
  const after = usageOf(collector.pid);
  const seconds = (performance.now() - startedAtMs) / 1000;
  await using client = await MongoClient.connect(url);
  await client.db('bench').dropDatabase();
  return {
    entries: done + entries,
    perSecond: entries / seconds,
    cpuUsPerEntry: ((after.cpuMs - before.cpuMs) * 1000) / entries,
    rssMb: after.rssBytes / MEBIBYTE,
    peakRssMb: after.peakRssBytes / MEBIBYTE,
  };
}
