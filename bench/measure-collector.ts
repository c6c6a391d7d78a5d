import { spawn } from 'node:child_process';
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Consumer } from '@platformatic/kafka';
import { usageOf, type ProcessUsage } from './process-usage.ts';

export interface CollectorRun {
  /** The command, `{conf}` stands for the path of the configuration. */
  readonly command: string;
  readonly conf: string;
  readonly brokers: string;
  readonly topic: string;
  /** How many records make it done; left out (raw: a record holds many entries): when none has come for a while. */
  readonly recordsExpected?: number | undefined;
  readonly timeoutMs: number;
}

export interface CollectorFigures {
  /** From the start of the process to its first record. */
  readonly startMs: number;
  /** From the first record seen to the last. */
  readonly runMs: number;
  /** Records that came in `runMs`, and all. */
  readonly recordsInRun: number;
  readonly records: number;
  /** CPU of the whole process from its start to the last record. */
  readonly cpuMs: number;
  /** CPU in `runMs`, and what of it the main thread took, which cannot be spread over cores. */
  readonly runCpuMs: number;
  readonly runMainCpuMs: number;
  readonly peakRssBytes: number;
}

const POLL_MS = 20;
/** Without a known number of records, silence for so long is the end. */
const SETTLED_MS = 2000;

/** Runs a collector until the topic holds what it should, watching both from outside. */
export async function measureCollector(run: CollectorRun): Promise<CollectorFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'oplogue-bench-'));
  const conf = join(folder, 'collector.conf');
  writeFileSync(conf, run.conf);
  const [file, ...args] = run.command.replaceAll('{conf}', conf).split(' ');
  const startedAt = performance.now();
  const child = spawn(file, args, { cwd: process.cwd(), stdio: ['ignore', 'pipe', 'pipe'] });
  const output = createWriteStream(join(folder, 'output.log'));
  child.stdout.pipe(output);
  child.stderr.pipe(output);
  const watcher = new TopicWatcher(run.brokers, run.topic);
  let failed = true;
  try {
    const figures = await watch({
      run,
      watcher,
      startedAt,
      pid: child.pid ?? 0,
      isAlive: () => child.exitCode === null,
    });
    failed = false;
    return figures;
  } finally {
    await watcher.close();
    if (child.exitCode === null) {
      child.kill('SIGTERM');
      await Promise.race([
        once(child, 'exit'),
        new Promise((resolve) => setTimeout(resolve, 10_000).unref()),
      ]);
      child.kill('SIGKILL');
    }
    if (failed) console.error(`The collector's output is in ${folder}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

interface Watch {
  readonly run: CollectorRun;
  readonly watcher: TopicWatcher;
  readonly startedAt: number;
  readonly pid: number;
  readonly isAlive: () => boolean;
}

async function watch({ run, watcher, startedAt, pid, isAlive }: Watch): Promise<CollectorFigures> {
  let first: Sample | undefined;
  let last: Sample | undefined;
  for (;;) {
    const records = await watcher.records();
    const atMs = performance.now();
    const alive = isAlive();
    if (records > (last?.records ?? 0) && alive) {
      last = { atMs, records, usage: usageOf(pid) };
      first ??= last;
    }
    const isDone =
      run.recordsExpected === undefined
        ? last !== undefined && atMs - last.atMs > SETTLED_MS
        : records >= run.recordsExpected;
    if (first !== undefined && last !== undefined && isDone) {
      return {
        startMs: first.atMs - startedAt,
        runMs: last.atMs - first.atMs,
        recordsInRun: last.records - first.records,
        records,
        cpuMs: last.usage.cpuMs,
        runCpuMs: last.usage.cpuMs - first.usage.cpuMs,
        runMainCpuMs: last.usage.mainCpuMs - first.usage.mainCpuMs,
        peakRssBytes: last.usage.peakRssBytes,
      };
    }
    if (!alive) throw new Error(`The collector ended after ${records} records`);
    if (atMs - startedAt > run.timeoutMs)
      throw new Error(`Only ${records} records came in ${run.timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

interface Sample {
  readonly atMs: number;
  readonly records: number;
  readonly usage: ProcessUsage;
}

/** Asks the broker for the end of every partition. */
class TopicWatcher {
  readonly #consumer: Consumer;
  readonly #topic: string;

  constructor(brokers: string, topic: string) {
    this.#topic = topic;
    this.#consumer = new Consumer({
      clientId: 'bench',
      groupId: 'bench',
      bootstrapBrokers: brokers.split(','),
    });
  }

  async records(): Promise<number> {
    const ends = await this.#consumer.listOffsets({ topics: [this.#topic], timestamp: -1n });
    return (ends.get(this.#topic) ?? []).reduce((sum, offset) => sum + Number(offset), 0);
  }

  close(): Promise<void> {
    return this.#consumer.close();
  }
}
