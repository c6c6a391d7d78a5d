import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { runCollector, type RunningCollector } from '../testbed/run-collector.ts';
import { startKafka } from '../testbed/start-kafka.ts';
import { startMongo } from '../testbed/start-mongo.ts';
import { measureIdle, type IdleFigures } from './measure-idle.ts';
import { measureLatency, type LatencyFigures } from './measure-latency.ts';
import { printTable } from './table.ts';

/** What a person may ask for in this field. */
interface LatencyCase {
  readonly name: string;
  readonly perSecond: number;
  readonly writeConcern: 'majority' | 1;
  readonly conf: Readonly<Record<string, string>>;
}

/** Inserts at once: enough for those that wait for the majority; a hundred would crowd everybody else off two cores. */
const CONNECTIONS_MAX = 32;

const help = `npm run bench:latency -- [options]

Inserts at a steady rate and measures the time from the acknowledged insert until a consumer has the record, then what
the collector costs while nothing happens.

  --seconds N       length of each measurement (15)
  --rates A,B       inserts a second (1000,10000)
  --commands N      insert commands a second, at most (1000): above it several documents go into one
  --idle-seconds N  length of the measurement without load; 0: none (20)
  --set KEY=VALUE   another line of collector.conf; may be given often
  --kafka 3.9|4     version of the broker (3.9)
  --json FILE       where the figures go (bench/results/latency.json)
`;

const options = parseArgs({
  options: {
    seconds: { type: 'string', default: '15' },
    rates: { type: 'string', default: '1000,10000' },
    commands: { type: 'string', default: '1000' },
    'idle-seconds': { type: 'string', default: '20' },
    set: { type: 'string', multiple: true, default: [] },
    kafka: { type: 'string', default: '3.9' },
    json: { type: 'string', default: 'bench/results/latency.json' },
    help: { type: 'boolean', default: false },
  },
}).values;

if (options.help) console.log(help);
else await main();

function cases(): LatencyCase[] {
  return options.rates.split(',').flatMap((rate) => {
    const perSecond = Number(rate);
    return [
      { name: `${rate}/s, majority`, perSecond, writeConcern: 'majority' as const, conf: {} },
      {
        name: `${rate}/s, w:1, read_concern = local`,
        perSecond,
        writeConcern: 1 as const,
        conf: { 'incr_sync.read_concern': 'local' },
      },
    ];
  });
}

async function main(): Promise<void> {
  await using mongo = await startMongo({ oplogSizeMb: 2000 });
  await using kafka = await startKafka({ version: options.kafka === '4' ? '4' : '3.9' });
  const figures: Array<{ name: string } & LatencyFigures> = [];
  let idle: IdleFigures | undefined;
  for (const [index, { name, perSecond, writeConcern, conf }] of cases().entries()) {
    const topic = `latency-${index}`;
    await kafka.createTopic({ topic });
    await using client = await MongoClient.connect(mongo.url, { maxPoolSize: CONNECTIONS_MAX });
    await using collector = await startCollector({
      mongoUrl: mongo.url,
      brokers: kafka.brokers,
      topic,
      conf,
    });
    const measured = await measureLatency({
      client,
      brokers: kafka.brokers,
      topic,
      perSecond,
      writeConcern,
      seconds: Number(options.seconds),
      commandsPerSecondMax: Number(options.commands),
      pids: {
        collector: collector.pid,
        mongod: mongo.members[0].pid,
        broker: kafka.pid,
        load: process.pid,
      },
    });
    figures.push({ name, ...measured });
    const idleSeconds = Number(options['idle-seconds']);
    if (idleSeconds > 0 && idle === undefined) {
      idle = await measureIdle({ client, pid: collector.pid, seconds: idleSeconds });
    }
    await collector.stop();
    await kafka.deleteTopic(topic);
  }
  report(figures, idle);
}

async function startCollector(o: {
  mongoUrl: string;
  brokers: string;
  topic: string;
  conf: Readonly<Record<string, string>>;
}): Promise<RunningCollector> {
  const collector = await runCollector({
    conf: {
      mongo_urls: o.mongoUrl,
      id: o.topic,
      tunnel: 'kafka',
      'tunnel.address': `${o.topic}@${o.brokers}`,
      'tunnel.message': 'json',
      'tunnel.json.format': 'canonical_extended_json',
      'filter.namespace.white': 'latency',
      'checkpoint.storage.collection': `ckpt_${o.topic.replaceAll('-', '_')}`,
      ...o.conf,
      ...Object.fromEntries(options.set.map((line) => line.split(/=(.*)/, 2))),
    },
  });
  await collector.waitForLog(/Reading begins/);
  return collector;
}

function report(
  figures: ReadonlyArray<{ name: string } & LatencyFigures>,
  idle: IdleFigures | undefined,
): void {
  printTable(
    figures.map(({ name, inserts, insertsPerSecond, p50Ms, p90Ms, p99Ms, maxMs, cpuPercent }) => ({
      'inserts, write concern': name,
      inserts,
      'a second': Math.round(insertsPerSecond),
      'p50 ms': p50Ms.toFixed(1),
      'p90 ms': p90Ms.toFixed(1),
      'p99 ms': p99Ms.toFixed(1),
      'max ms': maxMs.toFixed(1),
      ...Object.fromEntries(
        Object.entries(cpuPercent).map(([process, percent]) => [`${process} CPU %`, percent.toFixed(0)]),
      ),
    })),
  );
  if (idle !== undefined) {
    console.log(
      `Idle: ${idle.cpuPercent.toFixed(2)} % of a core, ${idle.commandsPerSecond.toFixed(1)} commands a second to mongod, ${Math.round(idle.rssBytes / 2 ** 20)} MB`,
    );
  }
  mkdirSync(dirname(options.json), { recursive: true });
  writeFileSync(options.json, `${JSON.stringify({ options, figures, idle }, null, 2)}\n`);
  console.log(`Figures in ${options.json}`);
}
