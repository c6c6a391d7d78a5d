import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { eventually } from '../testbed/eventually.ts';
import { freePort } from '../testbed/free-port.ts';
import { makeTempFolder } from '../testbed/process-guard.ts';
import { runCollector } from '../testbed/run-collector.ts';
import { runReceiver, type RunningReceiver } from '../testbed/run-receiver.ts';
import { startMongo, type TestMongo } from '../testbed/start-mongo.ts';
import { prepareBacklog } from './backlog.ts';
import { usageOf } from './process-usage.ts';
import { median, printTable } from './table.ts';
import { writeFigures } from './write-figures.ts';

const help = `npm run bench:receiver -- [options]

Carries a backlog from a collector to a receiver on this machine, whose replayer only counts: entries a second, CPU and memory of each half.

  --entries N      entries of the backlog (500000)
  --repeat N       how often each tunnel is measured; the median is shown (3)
  --tunnels A,B    of tcp, rpc, file (all)
  --workers N      incr_sync.worker, and replayer (1)
  --slow-ms N      the replayer takes so long for each batch, for 30 s: what the two halves hold then (0)
  --json FILE      where the figures go (bench/results/receiver.json)
`;

const options = parseArgs({
  options: {
    entries: { type: 'string', default: '500000' },
    repeat: { type: 'string', default: '3' },
    tunnels: { type: 'string', default: 'tcp,rpc,file' },
    workers: { type: 'string', default: '1' },
    'slow-ms': { type: 'string', default: '0' },
    json: { type: 'string', default: 'bench/results/receiver.json' },
    help: { type: 'boolean', default: false },
  },
}).values;

const SLOW_RUN_MS = 30_000;

/** Counts, and says now and then how many and when. */
const COUNTER = `
import { setTimeout as sleep } from 'node:timers/promises';
let entries = 0, said = 0;
async function apply(batch) {
  entries += batch.length;
  const now = performance.timeOrigin + performance.now();
  if (said === 0 || entries - said >= 10000 || entries >= ${Number(options.entries)}) {
    said = entries;
    console.log('counted', entries, now);
  }
  if (${Number(options['slow-ms'])} > 0) await sleep(${Number(options['slow-ms'])});
}
export { apply };`;

interface Row {
  readonly tunnel: string;
  readonly perSecond: number;
  readonly collectorCpuUs: number;
  readonly receiverCpuUs: number;
  readonly collectorPeakMb: number;
  readonly receiverPeakMb: number;
}

if (options.help) console.log(help);
else await main();

async function main(): Promise<void> {
  await using mongo = await startMongo({ oplogSizeMb: 4000 });
  console.log(`Preparing ${options.entries} entries`);
  await prepareBacklog({ url: mongo.url, entries: Number(options.entries) });
  const rows: Row[] = [];
  for (let run = 0; run < Number(options.repeat); run++) {
    for (const tunnel of options.tunnels.split(',')) rows.push(await measure(mongo, tunnel, run));
  }
  const lines = [...new Set(rows.map(({ tunnel }) => tunnel))].map((tunnel) => {
    const same = rows.filter((row) => row.tunnel === tunnel);
    const middle = (of: (row: Row) => number): number => median(same.map(of));
    return {
      tunnel,
      'a second': Math.round(middle((row) => row.perSecond)),
      'collector CPU us': middle((row) => row.collectorCpuUs).toFixed(1),
      'receiver CPU us': middle((row) => row.receiverCpuUs).toFixed(1),
      'collector MB': Math.round(middle((row) => row.collectorPeakMb)),
      'receiver MB': Math.round(middle((row) => row.receiverPeakMb)),
    };
  });
  printTable(lines);
  writeFigures(options.json, { options, rows, medians: lines });
}

async function measure(mongo: TestMongo, tunnel: string, run: number): Promise<Row> {
  const address =
    tunnel === 'file' ? join(makeTempFolder('bench-file'), 'oplog.data') : `127.0.0.1:${await freePort()}`;
  const both = { tunnel, 'tunnel.address': address };
  await using receiver = await runReceiver({
    conf: { ...both, replayer: options.workers, 'replayer.module': './counter.mjs' },
    files: { 'counter.mjs': COUNTER },
  });
  await using collector = await runCollector({
    conf: {
      ...both,
      mongo_urls: mongo.url,
      'incr_sync.worker': options.workers,
      'filter.namespace.white': 'bench',
      'checkpoint.storage.collection': `ckpt_${tunnel}_${run}`,
    },
  });
  const startedMs = performance.now();
  const entries = Number(options.entries);
  await eventually(
    () =>
      Number(options['slow-ms']) > 0
        ? performance.now() - startedMs > SLOW_RUN_MS
        : (countsOf(receiver).at(-1)?.entries ?? 0) >= entries,
    { what: 'all entries', timeoutMs: 600_000, everyMs: 100 },
  );
  const counts = countsOf(receiver);
  const first = counts[0];
  const last = counts[counts.length - 1];
  const [sender, taker] = [usageOf(collector.pid), usageOf(receiver.pid)];
  const row = {
    tunnel,
    perSecond: ((last.entries - first.entries) * 1000) / (last.atMs - first.atMs),
    collectorCpuUs: (sender.cpuMs * 1000) / last.entries,
    receiverCpuUs: (taker.cpuMs * 1000) / last.entries,
    collectorPeakMb: sender.peakRssBytes / 2 ** 20,
    receiverPeakMb: taker.peakRssBytes / 2 ** 20,
  };
  console.log(`  run ${run + 1}  ${tunnel.padEnd(5)} ${Math.round(row.perSecond)} a second`);
  return row;
}

function countsOf(receiver: RunningReceiver): Array<{ entries: number; atMs: number }> {
  return [...receiver.log.matchAll(/^counted (\d+) ([\d.]+)$/gm)].map(([, entries, atMs]) => ({
    entries: Number(entries),
    atMs: Number(atMs),
  }));
}
