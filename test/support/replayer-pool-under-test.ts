import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { OplogEntry } from '../../src/message/oplog-entry.ts';
import { DeadLetter } from '../../src/receiver/dead-letter.ts';
import { ReplayerPool, type ReplayerPoolOptions } from '../../src/receiver/replayer-pool.ts';
import type { Replayer } from '../../src/receiver/replayer.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { IncomingMessage } from '../../src/tunnel/message-reader.ts';
import { MemoryLogger } from './memory-logger.ts';
import { makeEntry, readEntry } from './oplog-entry.ts';
import { rawMessage, type RawMessageParts } from './raw-message.ts';

export const RETRANSMISSION = 0x1;
export const PROBE = 0x10;
const SECONDS = 1_582_277_156n;

let folder = '';

/** Where the pools of a test have their dead letters. */
export function deadLetterPath(): string {
  return join(folder, 'dead.jsonl');
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oplogue-pool-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Keeps what it is given; rejects what `rejects` says. */
export class Recorder implements Replayer {
  readonly numbers: number[] = [];
  readonly batches: number[][] = [];
  readonly attempts: number[] = [];
  rejects: (numbers: readonly number[]) => boolean = () => false;
  gate: Promise<void> = Promise.resolve();

  async apply(batch: readonly OplogEntry[], { attempt }: { attempt: number }): Promise<void> {
    await this.gate;
    const numbers = batch.map(({ bytes }) => readEntry(bytes).number);
    this.attempts.push(attempt);
    if (this.rejects(numbers)) throw new Error('the target does not like it');
    this.batches.push(numbers);
    this.numbers.push(...numbers);
  }
}

/** A pool with these replayers, whose budget is large enough for everything unless said otherwise. */
export function makePool(
  replayers: readonly Replayer[],
  options: Omit<Partial<ReplayerPoolOptions>, 'config'> & {
    config?: Partial<ReplayerPoolOptions['config']>;
  } = {},
): { pool: ReplayerPool; logger: MemoryLogger; budget: MemoryBudget } {
  const logger = new MemoryLogger();
  const budget = options.budget ?? new MemoryBudget(64 * 1024 * 1024);
  const pool = new ReplayerPool({
    replayers,
    deadLetter: new DeadLetter(deadLetterPath()),
    logger,
    ...options,
    budget,
    config: { batchEntries: 1000, retries: 0, onError: 'stop', ...options.config },
  });
  return { pool, logger, budget };
}

/** Entries of lane 0 with these numbers. */
export function entries(...numbers: number[]): Buffer[] {
  return numbers.map((number) => makeEntry({ lane: 0, number }));
}

/** Of the entry with a number. */
export function position(number: number): bigint {
  return (SECONDS << 32n) | BigInt(number);
}

/** A raw message as a reader hands it over; with `onDone`, as one of a topic or a file. */
export function message(parts: RawMessageParts, onDone?: () => void): IncomingMessage {
  return {
    form: 'raw' as const,
    bytes: rawMessage(parts),
    shard: parts.shard ?? 0,
    tag: parts.tag ?? 0,
    from: 'here:1',
    ...(onDone === undefined ? {} : { onDone }),
  };
}

/** A replayer that gets on with nothing before `open` is called. */
export function heldUp(): { replayer: Recorder; open: () => void } {
  const replayer = new Recorder();
  let open = (): void => {};
  replayer.gate = new Promise((resolve) => {
    open = resolve;
  });
  return { replayer, open };
}

/** A raw message with other bytes at a place of its header. */
export function spoiled(parts: RawMessageParts, at: number, value: number): IncomingMessage {
  const whole = message(parts);
  whole.bytes.writeUInt32BE(value, at);
  return whole;
}
