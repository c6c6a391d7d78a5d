import { parseArgs } from 'node:util';
import { startKafka, type TestKafka } from '../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../testbed/start-mongo.ts';
import { deliveriesOf, type Delivery } from './delivery.ts';
import { measureCollector, type CollectorFigures } from './measure-collector.ts';
import { limitOfProducing, limitOfReading } from './limits.ts';
import { prepareScenario, scenarioNamed, scenarios, type Scenario } from './scenario.ts';
import { median, printTable } from './table.ts';
import { writeFigures } from './write-figures.ts';

/** What is measured: name, keys of collector.conf, and which limit it is held against. */
interface Mode {
  readonly name: string;
  readonly message: 'raw' | 'bson' | 'json';
  readonly format: string;
  readonly limit: 'produce-json' | 'produce-bson' | 'read';
}

const modes: readonly Mode[] = [
  { name: 'json', message: 'json', format: 'canonical_extended_json', limit: 'produce-json' },
  { name: 'json-default', message: 'json', format: '', limit: 'produce-json' },
  { name: 'bson', message: 'bson', format: '', limit: 'produce-bson' },
  { name: 'raw', message: 'raw', format: '', limit: 'read' },
];

const options = parseArgs({
  options: {
    entries: { type: 'string', default: '500000' },
    repeat: { type: 'string', default: '3' },
    modes: { type: 'string', default: modes.map((mode) => mode.name).join(',') },
    set: { type: 'string', multiple: true, default: [] },
    workers: { type: 'string', default: '1' },
    partitions: { type: 'string', default: '1' },
    scenario: { type: 'string', default: 'mix' },
    'fill-bytes': { type: 'string', default: '250' },
    kafka: { type: 'string', default: '3.9' },
    delivery: { type: 'string', default: 'at_least_once' },
    peer: { type: 'string' },
    json: { type: 'string', default: 'bench/results/bench.json' },
    help: { type: 'boolean', default: false },
  },
}).values;

const help = `npm run bench -- [options]

Prepares a backlog of oplog entries, measures reading alone and producing alone, then the collector in each mode, all in
one run on this machine, and prints each figure with its ratio to the limit.

  --entries N      entries of the backlog (500000)
  --repeat N       how often each mode is measured; the median is shown (3)
  --modes A,B      of ${modes.map((mode) => mode.name).join(', ')}
  --scenario NAME  what the backlog is (mix):
${scenarios.map(({ name, text }) => `                     ${name.padEnd(13)} ${text}`).join('\n')}
  --workers N      incr_sync.worker (1)
  --partitions N   partitions of the topic (1)
  --delivery WHAT  at_least_once, exactly_once, or both: each mode in both, one after the other (at_least_once)
  --set KEY=VALUE  another line of collector.conf; may be given often
  --fill-bytes N   length of the text in a document: 250 gives entries of about 680 bytes
  --kafka 3.9|4    version of the broker (3.9)
  --peer 'CMD {conf}'  also measures another collector that reads collector.conf
  --json FILE      where the figures go (bench/results/bench.json)

CPU us is what an entry costs the whole process from its start, running what it costs once records come, main thread what of that
cannot be spread over cores.
`;

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  await using mongo = await startMongo({ oplogSizeMb: 4000 });
  await using kafka = await startKafka({ version: options.kafka === '4' ? '4' : '3.9' });
  console.log(`Preparing ${options.entries} entries`);
  const scenario = scenarioNamed(options.scenario);
  const entries = await prepareScenario(scenario, {
    url: mongo.url,
    entries: Number(options.entries),
    fillBytes: Number(options['fill-bytes']),
  });
  const commands = new Map([['oplogue', 'node bin/collector.js -conf={conf} -verbose=2']]);
  if (options.peer !== undefined) commands.set('peer', options.peer);
  const rows: Row[] = [];
  const chosen = modes.filter((mode) => options.modes.split(',').includes(mode.name));
  for (let run = 0; run < Number(options.repeat); run++) {
    rows.push(...(await measureLimits({ mongo, kafka, run })));
    for (const mode of chosen) {
      for (const [who, command] of commands) {
        const deliveries =
          who === 'peer' ? (['at_least_once'] as const) : deliveriesOf(options.delivery, run);
        for (const delivery of deliveries) {
          rows.push(
            await measureMode({ mode, who, command, delivery, run, entries, mongo, kafka, scenario }),
          );
        }
      }
    }
  }
  report(rows);
}

interface Row {
  readonly what: string;
  readonly run: number;
  readonly perSecond: number;
  /** CPU of the process from its start. */
  readonly cpuUsPerEntry?: number;
  /** From the first record on, and what of it the main thread took. */
  readonly runCpuUsPerEntry?: number;
  readonly mainCpuUsPerEntry?: number;
  readonly peakRssMb?: number;
  readonly limit?: string;
  /** Row of the same mode in at_least_once, of an exactly_once one. */
  readonly against?: string;
}

async function measureLimits(bed: { mongo: TestMongo; kafka: TestKafka; run: number }): Promise<Row[]> {
  const { mongo, kafka, run } = bed;
  const rows: Row[] = [];
  const reading = await limitOfReading(mongo.url);
  rows.push({ what: 'limit: read', run, ...reading });
  for (const [what, bytes] of [
    ['limit: produce-json', 1250],
    ['limit: produce-bson', 682],
  ] as const) {
    const perSecond = await limitOfProducing({ kafka, bytes, records: 500_000 });
    if (perSecond !== undefined) rows.push({ what, run, perSecond });
  }
  rows.forEach(show);
  return rows;
}

interface ModeRun {
  readonly mode: Mode;
  readonly who: string;
  readonly command: string;
  readonly delivery: Delivery;
  readonly run: number;
  readonly entries: number;
  readonly mongo: TestMongo;
  readonly kafka: TestKafka;
  readonly scenario: Scenario;
}

async function measureMode(r: ModeRun): Promise<Row> {
  const { mode, who, command, delivery, run, entries, mongo, kafka, scenario } = r;
  const name = `${who}-${mode.name}-${delivery}-${run}`;
  const topic = `bench-${name}`;
  await kafka.createTopic({
    topic,
    partitions: Number(options.partitions),
    config: { 'max.message.bytes': '20000000', 'retention.bytes': '-1' },
  });
  try {
    const figures = await measureCollector({
      command,
      conf: confOf({ mode, topic, mongo, kafka, delivery, id: name, scenario }),
      brokers: kafka.brokers,
      topic,
      recordsExpected: mode.message === 'raw' ? undefined : Math.floor(entries * scenario.recordsPerEntry),
      timeoutMs: 600_000,
    });
    const row = rowOf({ who, mode, delivery, run, entries, figures });
    show(row);
    return row;
  } finally {
    await kafka.deleteTopic(topic);
  }
}

function rowOf(r: {
  who: string;
  mode: Mode;
  delivery: Delivery;
  run: number;
  entries: number;
  figures: CollectorFigures;
}): Row {
  const { figures } = r;
  const share = figures.recordsInRun / figures.records;
  const name = `${r.who}: ${r.mode.name}`;
  return {
    ...(r.delivery === 'exactly_once' ? { what: `${name}, exactly once`, against: name } : { what: name }),
    run: r.run,
    perSecond: (share * r.entries) / (figures.runMs / 1000),
    cpuUsPerEntry: (figures.cpuMs * 1000) / r.entries,
    runCpuUsPerEntry: (figures.runCpuMs * 1000) / (share * r.entries),
    mainCpuUsPerEntry: (figures.runMainCpuMs * 1000) / (share * r.entries),
    peakRssMb: figures.peakRssBytes / 2 ** 20,
    limit: `limit: ${r.mode.limit}`,
  };
}

function confOf(o: {
  mode: Mode;
  topic: string;
  mongo: TestMongo;
  kafka: TestKafka;
  delivery: Delivery;
  id: string;
  scenario: Scenario;
}): string {
  const lines = [
    'conf.version = 10',
    `id = ${o.id}`,
    `mongo_urls = ${o.mongo.url}`,
    'tunnel = kafka',
    `tunnel.address = ${o.topic}@${o.kafka.brokers}`,
    `tunnel.message = ${o.mode.message}`,
    `tunnel.json.format = ${o.mode.format}`,
    `tunnel.kafka.partition_number = ${options.partitions}`,
    `incr_sync.worker = ${options.workers}`,
    `checkpoint.storage.collection = ckpt_${o.id.replaceAll('-', '_')}`,
    ...(o.delivery === 'exactly_once' ? ['tunnel.kafka.delivery = exactly_once'] : []),
    ...o.scenario.conf,
    ...options.set,
  ];
  return `${lines.map((line) => line.replace(/^([^=]+)=(?! )/, '$1 = ')).join('\n')}\n`;
}

function show(row: Row): void {
  const more = row.cpuUsPerEntry === undefined ? '' : `, ${row.cpuUsPerEntry.toFixed(1)} us CPU an entry`;
  const rss = row.peakRssMb === undefined ? '' : `, ${row.peakRssMb.toFixed(0)} MB`;
  console.log(
    `  run ${row.run + 1}  ${row.what.padEnd(36)} ${Math.round(row.perSecond)} a second${more}${rss}`,
  );
}

/** Median over the runs of the rate of an exactly_once mode, against that of at_least_once in the same run. */
function ratioToOther(same: readonly Row[], rows: readonly Row[]): string {
  const ratios = same.flatMap(({ against, run, perSecond }) => {
    const other = rows.find((row) => row.what === against && row.run === run);
    return other === undefined ? [] : [perSecond / other.perSecond];
  });
  return ratios.length === 0 ? '' : median(ratios).toFixed(2);
}

/** Empty where nothing was measured. */
function medianText(values: ReadonlyArray<number | undefined>): string {
  const measured = values.filter((value) => value !== undefined);
  return measured.length === 0 ? '' : median(measured).toFixed(1);
}

function report(rows: readonly Row[]): void {
  const names = [...new Set(rows.map((row) => row.what))];
  const lines = names.map((what) => {
    const same = rows.filter((row) => row.what === what);
    const perSecond = median(same.map((row) => row.perSecond));
    const limits = rows.filter((row) => row.what === same[0].limit).map((row) => row.perSecond);
    return {
      what,
      'a second': Math.round(perSecond),
      lowest: Math.round(Math.min(...same.map((row) => row.perSecond))),
      highest: Math.round(Math.max(...same.map((row) => row.perSecond))),
      'ratio to limit': limits.length === 0 ? '' : (perSecond / median(limits)).toFixed(2),
      'to at least once': ratioToOther(same, rows),
      'CPU us': medianText(same.map((row) => row.cpuUsPerEntry)),
      running: medianText(same.map((row) => row.runCpuUsPerEntry)),
      'main thread': medianText(same.map((row) => row.mainCpuUsPerEntry)),
      'peak MB':
        same[0].peakRssMb === undefined ? '' : Math.max(...same.map((r) => r.peakRssMb ?? 0)).toFixed(0),
    };
  });
  printTable(lines);
  writeFigures(options.json, { options, rows, medians: lines });
}
