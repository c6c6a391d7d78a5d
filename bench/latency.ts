import { parseArgs } from 'node:util';
import { MongoClient } from 'mongodb';
import { runCollector, type RunningCollector } from '../testbed/run-collector.ts';
import { startKafka, type TestKafka } from '../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../testbed/start-mongo.ts';
import { deliveriesOf, type Delivery } from './delivery.ts';
import { confOfSet } from './conf-of-set.ts';
import { measureIdle, type IdleFigures } from './measure-idle.ts';
import { measureLatency, type LatencyFigures } from './measure-latency.ts';
import { median, printTable } from './table.ts';
import { writeFigures } from './write-figures.ts';

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
  --delivery WHAT   at_least_once, exactly_once, or both: each case in both, one after the other (at_least_once)
  --repeat N        how often each case is measured; medians are shown (1)
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
    delivery: { type: 'string', default: 'at_least_once' },
    repeat: { type: 'string', default: '1' },
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
  const rows: Row[] = [];
  let idle: IdleFigures | undefined;
  for (let run = 0; run < Number(options.repeat); run++) {
    for (const one of cases()) {
      for (const delivery of deliveriesOf(options.delivery, run)) {
        const topic = `latency-${rows.length}`;
        const measured = await measureCase({
          case: one,
          delivery,
          topic,
          mongo,
          kafka,
          withIdle: idle === undefined,
        });
        idle ??= measured.idle;
        rows.push({ name: one.name, delivery, figures: measured.figures });
      }
    }
  }
  report(rows, idle);
}

interface Row {
  readonly name: string;
  readonly delivery: Delivery;
  readonly figures: LatencyFigures;
}

interface CaseRun {
  readonly case: LatencyCase;
  readonly delivery: Delivery;
  readonly topic: string;
  readonly mongo: TestMongo;
  readonly kafka: TestKafka;
  readonly withIdle: boolean;
}

async function measureCase(
  run: CaseRun,
): Promise<{ figures: LatencyFigures; idle: IdleFigures | undefined }> {
  const { topic, delivery, mongo, kafka } = run;
  const { perSecond, writeConcern, conf } = run.case;
  await kafka.createTopic({ topic });
  await using client = await MongoClient.connect(mongo.url, { maxPoolSize: CONNECTIONS_MAX });
  await using collector = await startCollector({
    mongoUrl: mongo.url,
    brokers: kafka.brokers,
    topic,
    conf: { 'tunnel.kafka.delivery': delivery, ...conf },
  });
  const figures = await measureLatency({
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
  const seconds = Number(options['idle-seconds']);
  const idle =
    run.withIdle && seconds > 0 ? await measureIdle({ client, pid: collector.pid, seconds }) : undefined;
  await collector.stop();
  await kafka.deleteTopic(topic);
  return { figures, idle };
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
      ...confOfSet(options.set),
    },
  });
  await collector.waitForLog(/Reading begins/);
  return collector;
}

function report(rows: readonly Row[], idle: IdleFigures | undefined): void {
  const of = (name: string, delivery: Delivery): LatencyFigures[] =>
    rows.filter((row) => row.name === name && row.delivery === delivery).map(({ figures }) => figures);
  const p50Of = (figures: readonly LatencyFigures[]): number => median(figures.map(({ p50Ms }) => p50Ms));
  const kinds = [...new Map(rows.map((row) => [`${row.name} ${row.delivery}`, row])).values()];
  const medians = kinds.map(({ name, delivery }) => {
    const figures = of(name, delivery);
    const others = delivery === 'exactly_once' ? of(name, 'at_least_once') : [];
    const middle = (value: (one: LatencyFigures) => number): string => median(figures.map(value)).toFixed(1);
    return {
      'inserts, write concern': delivery === 'exactly_once' ? `${name}, exactly once` : name,
      inserts: figures[0].inserts,
      'a second': Math.round(median(figures.map(({ insertsPerSecond }) => insertsPerSecond))),
      'p50 ms': middle(({ p50Ms }) => p50Ms),
      'added ms': others.length === 0 ? '' : (p50Of(figures) - p50Of(others)).toFixed(1),
      'p90 ms': middle(({ p90Ms }) => p90Ms),
      'p99 ms': middle(({ p99Ms }) => p99Ms),
      'max ms': middle(({ maxMs }) => maxMs),
      ...Object.fromEntries(
        Object.keys(figures[0].cpuPercent).map((process) => [
          `${process} CPU %`,
          median(figures.map(({ cpuPercent }) => cpuPercent[process])).toFixed(0),
        ]),
      ),
    };
  });
  printTable(medians);
  if (idle !== undefined) {
    console.log(
      `Idle: ${idle.cpuPercent.toFixed(2)} % of a core, ${idle.commandsPerSecond.toFixed(1)} commands a second to mongod, ${Math.round(idle.rssBytes / 2 ** 20)} MB`,
    );
  }
  writeFigures(options.json, { options, rows, medians, idle });
}
