import { setTimeout as sleep } from 'node:timers/promises';
import { Consumer, FetchIsolationLevels } from '@platformatic/kafka';
import type { Db, MongoClient } from 'mongodb';
import { usageOf } from './process-usage.ts';

export interface LatencyRun {
  readonly client: MongoClient;
  readonly brokers: string;
  readonly topic: string;
  readonly perSecond: number;
  readonly writeConcern: 'majority' | 1;
  readonly seconds: number;
  /** Above this rate several documents go into one command, or the writer would be what is measured. */
  readonly commandsPerSecondMax: number;
  /** Whose CPU is measured, by name. */
  readonly pids: Readonly<Record<string, number>>;
}

/** From the server's acknowledgement of an insert to the record's arrival at a consumer; never below 0. */
export interface LatencyFigures {
  readonly inserts: number;
  readonly insertsPerSecond: number;
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** While the inserts ran without those that are not counted, in percent of one core. */
  readonly cpuPercent: Readonly<Record<string, number>>;
}

interface Numbered {
  readonly _id: number;
  readonly text: string;
}

/** The first inserts meet cold code on all sides and are not counted. */
const WARM_UP_SECONDS = 3;
const TICK_MS = 5;
const ARRIVAL_TIMEOUT_MS = 30_000;
const TEXT = 'x'.repeat(300);

/** Inserts at a steady rate and follows the topic in the same process, so that one clock measures both ends. */
export async function measureLatency(run: LatencyRun): Promise<LatencyFigures> {
  const acknowledgedAtMs = new Map<number, number>();
  const arrivedAtMs = new Map<number, number>();
  const consumer = new Consumer({
    clientId: 'latency',
    groupId: `latency-${run.topic}`,
    bootstrapBrokers: run.brokers.split(','),
    minBytes: 1,
    maxWaitTime: 500,
    // What is delivered exactly once has to be read so; for the rest it makes no difference.
    isolationLevel: FetchIsolationLevels.READ_COMMITTED,
  });
  const stream = await consumer.consume({ topics: [run.topic], mode: 'earliest', autocommit: false });
  stream.on('data', (record) => {
    const number = numberIn(record.value);
    if (number !== undefined) arrivedAtMs.set(number, performance.now());
  });
  try {
    const writer = new SteadyInserts(run, acknowledgedAtMs);
    const cpu = measureCpu(run);
    const inserts = await writer.run();
    const deadline = performance.now() + ARRIVAL_TIMEOUT_MS;
    while (arrivedAtMs.size < inserts && performance.now() < deadline) await sleep(TICK_MS);
    if (arrivedAtMs.size < inserts) throw new Error(`Only ${arrivedAtMs.size} of ${inserts} inserts arrived`);
    return { ...figuresOf(acknowledgedAtMs, arrivedAtMs, run), cpuPercent: await cpu };
  } finally {
    await stream.close();
    await consumer.close();
  }
}

/** What each process takes between the warm-up and the last insert. */
async function measureCpu({ pids, seconds }: LatencyRun): Promise<Record<string, number>> {
  const usage = (): number[] => Object.values(pids).map((pid) => usageOf(pid).cpuMs);
  await sleep(WARM_UP_SECONDS * 1000);
  const before = usage();
  const startedAtMs = performance.now();
  await sleep(seconds * 1000);
  const after = usage();
  const elapsedMs = performance.now() - startedAtMs;
  return Object.fromEntries(
    Object.keys(pids).map((name, i) => [name, ((after[i] - before[i]) / elapsedMs) * 100]),
  );
}

/** Commands are sent by the clock, whether or not the ones before have been answered. */
class SteadyInserts {
  readonly #run: LatencyRun;
  readonly #acknowledgedAtMs: Map<number, number>;
  readonly #db: Db;
  readonly #documentsPerCommand: number;
  #next = 0;

  constructor(run: LatencyRun, acknowledgedAtMs: Map<number, number>) {
    this.#run = run;
    this.#acknowledgedAtMs = acknowledgedAtMs;
    this.#db = run.client.db('latency');
    this.#documentsPerCommand = Math.ceil(run.perSecond / run.commandsPerSecondMax);
  }

  /** @returns how many documents were inserted */
  async run(): Promise<number> {
    const { perSecond, seconds } = this.#run;
    const total = perSecond * (seconds + WARM_UP_SECONDS);
    const startedAtMs = performance.now();
    const commands: Promise<void>[] = [];
    while (this.#next < total) {
      const due = Math.min(total, ((performance.now() - startedAtMs) / 1000) * perSecond);
      while (this.#next + this.#documentsPerCommand <= due) commands.push(this.#insert());
      await sleep(1);
    }
    await Promise.all(commands);
    return this.#next;
  }

  async #insert(): Promise<void> {
    const documents: Numbered[] = [];
    for (let i = 0; i < this.#documentsPerCommand; i++) documents.push({ _id: this.#next++, text: TEXT });
    // Half of what insertMany costs, which would be felt on a machine that all sides share.
    await this.#db.command({
      insert: this.#run.topic,
      documents,
      ordered: false,
      writeConcern: { w: this.#run.writeConcern },
    });
    const nowMs = performance.now();
    for (const { _id } of documents) this.#acknowledgedAtMs.set(_id, nowMs);
  }
}

/** The `_id` in a canonical Extended JSON message, without parsing all of it. */
function numberIn(value: Buffer): number | undefined {
  const match = /"_id":\{"\$numberInt":"(\d+)"\}/.exec(value.toString('latin1'));
  return match === null ? undefined : Number(match[1]);
}

function figuresOf(
  acknowledgedAtMs: ReadonlyMap<number, number>,
  arrivedAtMs: ReadonlyMap<number, number>,
  { perSecond, seconds }: LatencyRun,
): Omit<LatencyFigures, 'cpuPercent'> {
  const first = perSecond * WARM_UP_SECONDS;
  const latencies: number[] = [];
  for (const [number, arrivedMs] of arrivedAtMs) {
    const acknowledgedMs = acknowledgedAtMs.get(number);
    if (number >= first && acknowledgedMs !== undefined) {
      latencies.push(Math.max(0, arrivedMs - acknowledgedMs));
    }
  }
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))];
  return {
    inserts: latencies.length,
    insertsPerSecond: latencies.length / seconds,
    p50Ms: at(0.5),
    p90Ms: at(0.9),
    p99Ms: at(0.99),
    maxMs: at(1),
  };
}
