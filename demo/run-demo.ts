import { MongoClient } from 'mongodb';
import { deadlineSignal } from '../src/shared/deadline-signal.ts';
import { sleep } from '../src/shared/sleep.ts';
import { runCollector, type RunningCollector } from '../testbed/run-collector.ts';
import { TestbedError } from '../testbed/testbed-error.ts';
import { collectorFigures, noFigures } from './collector-figures.ts';
import { decodeMessage, type DemoOperation } from './decode-message.ts';
import { DeliveryCheck } from './delivery-check.ts';
import { demoConf } from './demo-conf.ts';
import type { DemoOptions } from './demo-options.ts';
import type { DemoServers } from './demo-servers.ts';
import { LiveView } from './live-view.ts';
import { fileReader, topicReader, type MessageReader } from './message-reader.ts';
import { Workload } from './workload.ts';

const refreshMs = 500;
const latestMax = 8;
/** How long the last messages may take after the writer has stopped. */
const drainTimeoutMs = 60_000;

/** What the demo has seen. */
export interface DemoOutcome {
  readonly check: DeliveryCheck;
  readonly elapsedSeconds: number;
  readonly collectorExitCode: number | null;
}

export interface RunDemoOptions {
  readonly options: DemoOptions;
  readonly servers: DemoServers;
  /** Ends the demo early. */
  readonly interrupted: AbortSignal;
  readonly say: (text: string) => void;
}

/** Runs the writer and the collector until the time is up or the signal aborts, and waits for the last messages. */
export async function runDemo({ options, servers, interrupted, say }: RunDemoOptions): Promise<DemoOutcome> {
  const conf = demoConf(options, servers);
  await using collector = await runCollector({ conf });
  say(`\ncollector.conf\n${collector.confText.replaceAll(/^/gm, '  ').trimEnd()}`);
  say(`the collector runs: process ${collector.pid}, http://127.0.0.1:${collector.httpPort}/\n`);
  await using client = await new MongoClient(servers.mongo.url).connect();
  const check = new DeliveryCheck();
  const watcher = new Watcher({ options, servers, collector, check });
  const workload = new Workload({ client, database: servers.database, check });

  const ends = [interrupted];
  if (options.seconds !== undefined) ends.push(deadlineSignal(options.seconds * 1000));
  const writerStop = new AbortController();
  const writerEnd = AbortSignal.any([...ends, writerStop.signal]);
  let writerError: unknown;
  const writing = workload.run(options.rate, writerEnd).catch((error: unknown) => {
    writerError = error;
    writerStop.abort();
  });
  try {
    while (!writerEnd.aborted) {
      await watcher.look();
      await sleep(refreshMs, writerEnd);
    }
  } finally {
    writerStop.abort();
    await writing;
  }
  if (writerError !== undefined)
    throw new TestbedError('The writer of the demo failed', undefined, writerError);

  const deadline = performance.now() + drainTimeoutMs;
  do await watcher.look();
  while (check.missing > 0 && performance.now() < deadline);
  const end = await collector.stop();
  return { check, elapsedSeconds: watcher.elapsedSeconds, collectorExitCode: end.code };
}

interface WatcherParts {
  readonly options: DemoOptions;
  readonly servers: DemoServers;
  readonly collector: RunningCollector;
  readonly check: DeliveryCheck;
}

/** Reads what has arrived, ticks it off, and shows it beside the collector's own figures. */
class Watcher {
  readonly #parts: WatcherParts;
  readonly #read: MessageReader;
  readonly #view: LiveView;
  readonly #startedAt = performance.now();
  #latest: DemoOperation[] = [];
  #figures = noFigures;

  constructor(parts: WatcherParts) {
    const { options, servers } = parts;
    this.#parts = parts;
    this.#read =
      servers.kafka === undefined
        ? fileReader(servers.file)
        : topicReader(servers.kafka.brokers, servers.topic);
    const target = servers.kafka === undefined ? 'file' : 'Kafka';
    this.#view = new LiveView(`Oplogue: MongoDB -> ${target}, ${options.message}, ${options.rate} writes/s`);
  }

  get elapsedSeconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  async look(): Promise<void> {
    const { collector, check, options } = this.#parts;
    if (!collector.running) {
      const tail = collector.log.trimEnd().split('\n').slice(-20).join('\n');
      throw new TestbedError(`The collector has ended by itself:\n${tail}`);
    }
    const arrived: DemoOperation[] = [];
    await this.#read((value) => {
      for (const operation of decodeMessage(options.message, value)) {
        if (operation.mark !== undefined) check.arrived(operation.mark);
        arrived.push(operation);
      }
    });
    if (arrived.length > 0) this.#latest = sample(arrived);
    // A page that does not answer once is no reason to end: if the collector is gone, the next look says so.
    this.#figures = await collectorFigures(collector).catch(() => this.#figures);
    this.#view.show({
      figures: this.#figures,
      check,
      latest: this.#latest,
      elapsedSeconds: this.elapsedSeconds,
    });
  }
}

/** A few, spread over all: the last ones alone would mostly be of one kind. */
function sample(operations: readonly DemoOperation[]): DemoOperation[] {
  const step = Math.max(1, Math.ceil(operations.length / latestMax));
  return operations.filter((_, i) => i % step === 0);
}
