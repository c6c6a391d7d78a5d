import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { MongoClient } from 'mongodb';
import { describeError } from '../../../src/shared/errors.ts';
import { eventually } from '../../../testbed/eventually.ts';
import { DeliveryChecker, type DeliveryReport } from './delivery-checker.ts';
import { FaultLoad } from './fault-load.ts';
import { faultPlan, type FaultKind, type PlannedFault } from './fault-plan.ts';
import { DATABASE, startFaultStage, TOPIC, type FaultStage, type FaultStageOptions } from './fault-stage.ts';
import { startAgain, strikeFault } from './strike-fault.ts';
import { TopicWatcher } from './topic-watcher.ts';

export interface FaultRunOptions extends FaultStageOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly writesPerSecond: number;
  readonly isLong: boolean;
  /** Only these kinds, for looking into one. */
  readonly only: readonly FaultKind[] | undefined;
  /** At the end the broker is frozen for so long under full load, and memory is looked at; 0: not. */
  readonly freezeSeconds: number;
  readonly print: (line: string) => void;
}

export interface FaultRunReport extends DeliveryReport {
  readonly faults: number;
  readonly longestGapMs: number;
  /** For each kill of a collector, how long nothing came. */
  readonly takeoverMs: readonly number[];
  readonly peakMemoryBytes: number;
  /** What must not be; none: the run is good. */
  readonly violations: readonly string[];
}

const RECOVERY_MAX_MS = 120_000;
const MEMORY_MAX_BYTES = 300 * 1024 * 1024;
const MEMORY_SAMPLE_MS = 500;
/** One read of the topic's end takes no longer while the broker answers. */
const READ_PATIENCE_MS = 2_000;
const FREEZE_DOCUMENTS_PER_SECOND = 3000;
const DOCUMENTS_PER_INSERT = 300;
const LOG_LINES = 5;
/** A gap that is longer than its fault by so much is explained by the collectors' logs. */
const GAP_EXPLAINED_MS = 10_000;
const GAP_LOG_LINES = 25;

/** One run of the suite: servers, a load, faults one after the other, and the sum. */
export async function runFaults(options: FaultRunOptions): Promise<FaultRunReport> {
  await using stage = await startFaultStage(options);
  const run = new FaultRun(options, stage);
  return await run.toTheEnd();
}

class FaultRun {
  readonly #options: FaultRunOptions;
  readonly #stage: FaultStage;
  readonly #checker = new DeliveryChecker();
  readonly #load: FaultLoad;
  readonly #watcher: TopicWatcher;
  readonly #startedMs = performance.now();
  readonly #violations: string[] = [];
  readonly #takeoverMs: number[] = [];
  #longestGapMs = 0;
  #peakMemoryBytes = 0;
  #faults = 0;

  constructor(options: FaultRunOptions, stage: FaultStage) {
    this.#options = options;
    this.#stage = stage;
    const { message, writesPerSecond } = options;
    const checker = this.#checker;
    this.#load = new FaultLoad({ url: stage.mongo.url, database: DATABASE, checker, writesPerSecond });
    this.#watcher = new TopicWatcher({ brokers: stage.kafka.brokers, topic: TOPIC, message, checker });
  }

  async toTheEnd(): Promise<FaultRunReport> {
    const { freezeSeconds } = this.#options;
    const memory = setInterval(() => this.#sampleMemory(), MEMORY_SAMPLE_MS);
    try {
      await this.#recovered('the start');
      this.#say('the load flows');
      this.#watcher.takeLongestGapMs();
      await this.#strikeAll();
      if (freezeSeconds > 0) await this.#freezeUnderFullLoad(freezeSeconds);
      await this.#load.stop();
      await eventually(() => this.#checker.isComplete, {
        what: 'all acknowledged writes',
        timeoutMs: RECOVERY_MAX_MS,
        everyMs: 500,
      }).catch(() => undefined);
      // Repeats and what must not come may still be on their way.
      await pause(1000);
      await this.#watcher.stop();
    } finally {
      clearInterval(memory);
      await Promise.allSettled([this.#load.stop(), this.#watcher.stop()]);
    }
    return this.#report();
  }

  async #strikeAll(): Promise<void> {
    const { seed, members, isLong, minutes, only } = this.#options;
    const endMs = performance.now() + minutes * 60_000;
    for (const fault of faultPlan({ seed, members, isLong })) {
      if (performance.now() > endMs || this.#violations.length > 0) return;
      if (only !== undefined && !only.includes(fault.kind)) continue;
      await pause(fault.afterMs);
      await this.#strike(fault);
    }
  }

  async #strike(fault: PlannedFault): Promise<void> {
    const { kind, durationMs } = fault;
    this.#watcher.takeLongestGapMs();
    this.#faults++;
    let words: string;
    const struckMs = performance.now();
    try {
      words = await strikeFault(fault, { stage: this.#stage, checker: this.#checker });
    } catch (error) {
      this.#violations.push(`${kind}: ${describeError(error)}`);
      this.#say(this.#violations.at(-1) ?? '');
      return;
    }
    const tookMs = performance.now() - struckMs;
    await this.#raiseFallen(kind);
    const recoveredMs = await this.#recovered(kind);
    const gapMs = this.#watcher.takeLongestGapMs();
    this.#longestGapMs = Math.max(this.#longestGapMs, gapMs);
    if (kind === 'collector-kill') this.#takeoverMs.push(gapMs);
    const text = `${kind} ${words}`.trim();
    const stalledMs = this.#watcher.takeLongestReadMs();
    const blame = stalledMs > READ_PATIENCE_MS ? `; the reader itself waited ${seconds(stalledMs)}` : '';
    this.#say(
      `${text.padEnd(52)} planned ${seconds(durationMs)}, took ${seconds(tookMs)}, nothing came for ${seconds(gapMs)}, fresh again after ${seconds(recoveredMs)}${blame}`,
    );
    if (gapMs > tookMs + GAP_EXPLAINED_MS) this.#sayLogs();
  }

  /** What the collectors have said last, for a gap that wants to be explained. */
  #sayLogs(): void {
    for (const { log, pid } of this.#stage.collectors) {
      const lines = log.trimEnd().split('\n').slice(-GAP_LOG_LINES);
      this.#say(`the collector ${pid}:\n    ${lines.join('\n    ')}`);
    }
  }

  /** A collector must not end because of what passes. */
  async #raiseFallen(kind: FaultKind): Promise<void> {
    for (const collector of this.#stage.collectors) {
      if (collector.running) continue;
      const log = collector.log.trimEnd().split('\n').slice(-LOG_LINES).join('\n  ');
      this.#violations.push(`${kind}: a collector has ended by itself:\n  ${log}`);
      this.#say(this.#violations.at(-1) ?? '');
      await startAgain(collector);
    }
  }

  /** Waits until a write of now has come. @returns how long that took */
  async #recovered(after: string): Promise<number> {
    const startedMs = performance.now();
    try {
      const probe = await this.#load.probe(AbortSignal.timeout(RECOVERY_MAX_MS));
      await eventually(() => this.#watcher.hasCome(probe), {
        what: `a write after ${after}`,
        timeoutMs: RECOVERY_MAX_MS,
      });
    } catch (error) {
      const logs = this.#stage.collectors.map(({ log }) => log.split('\n').slice(-LOG_LINES).join('\n  '));
      this.#violations.push(`${after}: ${describeError(error)}\n  ${logs.join('\n  ')}`);
      this.#say(this.#violations.at(-1) ?? '');
    }
    return performance.now() - startedMs;
  }

  async #freezeUnderFullLoad(freezeSeconds: number): Promise<void> {
    const { kafka, mongo } = this.#stage;
    const before = this.#peakMemoryBytes;
    this.#peakMemoryBytes = 0;
    const endMs = performance.now() + freezeSeconds * 1000;
    kafka.freeze();
    const written = await writeUntil(endMs, mongo.url);
    kafka.thaw();
    const thawedMs = performance.now();
    await this.#raiseFallen('broker-freeze');
    await this.#recovered(`the broker was frozen for ${freezeSeconds} s`);
    const peak = this.#peakMemoryBytes;
    this.#say(
      `broker frozen for ${freezeSeconds} s: memory of a collector at most ${megabytes(peak)} MB; ` +
        `${written} more documents, caught up ${seconds(performance.now() - thawedMs)} after it`,
    );
    this.#peakMemoryBytes = Math.max(before, peak);
  }

  #sampleMemory(): void {
    for (const { running, pid } of this.#stage.collectors) {
      if (running) this.#peakMemoryBytes = Math.max(this.#peakMemoryBytes, residentBytes(pid));
    }
  }

  #report(): FaultRunReport {
    const report = this.#checker.report();
    const violations = [...this.#violations];
    const { delivery } = this.#options;
    if (report.lost > 0) violations.push(`${report.lost} lost`);
    if (report.outOfOrder > 0) violations.push(`${report.outOfOrder} out of order`);
    if (report.unwanted > 0) violations.push(`${report.unwanted} that were aborted or rolled back`);
    if (delivery === 'exactly_once' && report.duplicated > 0)
      violations.push(`${report.duplicated} duplicated`);
    if (this.#peakMemoryBytes > MEMORY_MAX_BYTES)
      violations.push(`${megabytes(this.#peakMemoryBytes)} MB of memory`);
    return {
      ...report,
      faults: this.#faults,
      longestGapMs: this.#longestGapMs,
      takeoverMs: this.#takeoverMs,
      peakMemoryBytes: this.#peakMemoryBytes,
      violations,
    };
  }

  #say(text: string): void {
    this.#options.print(`${seconds(performance.now() - this.#startedMs).padStart(9)}  ${text}`);
  }
}

/** The one line that says what came of a run. */
export function reportLine(report: FaultRunReport): string {
  const takeovers = report.takeoverMs.map((ms) => seconds(ms)).join(', ');
  return (
    `acknowledged ${report.acknowledged}, delivered ${report.delivered}, lost ${report.lost}, duplicated ${report.duplicated}, ` +
    `out of order ${report.outOfOrder}, unwanted ${report.unwanted}; ${report.faults} faults, longest gap ${seconds(report.longestGapMs)}, ` +
    `takeovers ${takeovers === '' ? 'none' : takeovers}, memory at most ${megabytes(report.peakMemoryBytes)} MB`
  );
}

/** Documents of another collection, which the reader passes over. @returns how many */
async function writeUntil(endMs: number, url: string): Promise<number> {
  const client = new MongoClient(url);
  let written = 0;
  try {
    const collection = client.db(DATABASE).collection('more');
    const everyMs = (1000 * DOCUMENTS_PER_INSERT) / FREEZE_DOCUMENTS_PER_SECOND;
    for (let next = performance.now(); performance.now() < endMs; next += everyMs) {
      await collection.insertMany(
        Array.from({ length: DOCUMENTS_PER_INSERT }, () => ({ pad: 'x'.repeat(400) })),
        { ordered: false },
      );
      written += DOCUMENTS_PER_INSERT;
      await pause(Math.max(0, next + everyMs - performance.now()));
    }
  } finally {
    await client.close();
  }
  return written;
}

function residentBytes(pid: number): number {
  try {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function megabytes(bytes: number): string {
  return (bytes / (1024 * 1024)).toFixed(0);
}
