import type { ReplayerConfig } from '../config/receiver-config.ts';
import type { OplogEntry } from '../message/oplog-entry.ts';
import { incrementOf, secondsOf } from '../oplog/position.ts';
import { Backoff } from '../shared/backoff.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { sleep } from '../shared/sleep.ts';
import type { DeadLetter, DeadLetterRecord } from './dead-letter.ts';
import { ReplayerError } from './replayer-error.ts';
import { ReplayerStats } from './replayer-stats.ts';
import type { Replayer } from './replayer.ts';
import type { WorkItem } from './work-item.ts';

const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 10_000;

export interface ReplayerLaneOptions {
  readonly replayer: Replayer;
  readonly config: Pick<ReplayerConfig, 'batchEntries' | 'retries' | 'onError'>;
  readonly deadLetter: DeadLetter;
  readonly logger: Logger;
  /** Aborts when the receiver is to stop. */
  readonly stop: AbortSignal;
  /** Called when the lane cannot go on. */
  readonly onFailed: (error: unknown) => void;
}

/** Where entries came from. */
type Origin = Pick<WorkItem, 'from' | 'isSent'>;

/** One replayer with its queue: gives it the entries in their order, again where it rejects them, and says what is done. */
export class ReplayerLane {
  readonly stats = new ReplayerStats();
  readonly #o: ReplayerLaneOptions;
  readonly #backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
  #queue: WorkItem[] = [];
  #working: Promise<void> | undefined;
  #failed = false;
  /** Aborts when nothing more is to be given to the replayer for now. */
  #paused = new AbortController();

  constructor(options: ReplayerLaneOptions) {
    this.#o = options;
  }

  /** Messages that wait or are being applied. */
  get queued(): number {
    return this.#queue.length;
  }

  add(item: WorkItem): void {
    this.#queue.push(item);
    this.#goOn();
  }

  /** Gives the replayer nothing more; resolves when it has nothing in its hands. */
  pause(): Promise<void> {
    this.#paused.abort();
    return this.idle();
  }

  resume(): void {
    if (!this.#paused.signal.aborted) return;
    this.#paused = new AbortController();
    this.#goOn();
  }

  /** Waits until it stands still: after a stop, or when all is done. */
  async idle(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /**
   * Deals with what cannot be applied, as `replayer.on_error` says.
   * @param options.count for `stop`: how many entries were given together, of which `what` is the first
   * @param options.mayStop false: the receiver does not end for this; `stop` leaves it out then
   * @throws ReplayerError for `stop`, or when the dead letter file cannot be written
   */
  async giveUp(
    what: Omit<DeadLetterRecord, 'time' | 'error'>,
    error: unknown,
    { count = 1, mayStop = true }: { count?: number; mayStop?: boolean } = {},
  ): Promise<void> {
    const { config, deadLetter, logger } = this.#o;
    const { bytes, ...where } = what;
    const why = describeError(error);
    if (config.onError === 'stop' && mayStop) {
      const entry = `${count === 1 ? '' : `${count} entries, the first `}${what.op} on ${what.ns} at ${what.position}`;
      const named = what.kind === 'entry' ? entry : 'a message';
      throw new ReplayerError({
        code: 'REPLAYER_FAILED',
        message: `Not applied: ${named} from ${what.from}: ${why}`,
        hint: 'mend the replayer and start again: nothing is lost; or set replayer.on_error to skip or dead_letter',
        cause: error,
      });
    }
    if (config.onError === 'dead_letter') {
      await deadLetter.add({ time: new Date().toISOString(), error: why, ...where, bytes });
      this.stats.deadLettered++;
    }
    this.stats.skipped++;
    logger.error({ ...where, error: why }, `${what.kind} left out (replayer.on_error = ${config.onError})`);
  }

  #goOn(): void {
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // What comes in the same turn goes into the same batch.
    await Promise.resolve();
    try {
      while (this.#mayApply) await this.#applyNext();
    } catch (error) {
      if (!this.#isStill) {
        this.#failed = true;
        this.stats.trouble = describeError(error);
        this.#o.onFailed(error);
      }
    } finally {
      this.#working = undefined;
      // It may have been resumed meanwhile.
      if (this.#mayApply) this.#goOn();
    }
  }

  get #isStill(): boolean {
    return this.#o.stop.aborted || this.#paused.signal.aborted;
  }

  get #mayApply(): boolean {
    if (this.#isStill || this.#failed) return false;
    this.#dropWithdrawn();
    return this.#queue.length > 0;
  }

  /** What another receiver does now is not to be done here too, later. */
  #dropWithdrawn(): void {
    if (!this.#queue.some(({ withdrawn }) => withdrawn?.aborted)) return;
    const dropped = this.#queue.filter(({ withdrawn }) => withdrawn?.aborted);
    this.#queue = this.#queue.filter(({ withdrawn }) => !withdrawn?.aborted);
    for (const item of dropped) item.onDropped();
  }

  /** Applies the next messages: as many whole ones as fit into a batch, or one that is larger, in parts. */
  async #applyNext(): Promise<void> {
    const { batchEntries } = this.#o.config;
    let count = 0;
    let items = 0;
    while (items < this.#queue.length) {
      const more = this.#queue[items].entries.length;
      if (items > 0 && count + more > batchEntries) break;
      count += more;
      items++;
    }
    const taken = this.#queue.slice(0, items);
    const { from, isSent } = taken[0];
    const entries = taken.length === 1 ? taken[0].entries : taken.flatMap((item) => item.entries);
    const isReadable = taken.every((item) => item.isReadable);
    for (let at = 0; at < entries.length; at += batchEntries) {
      const isWhole = entries.length <= batchEntries;
      const batch = isWhole ? entries : entries.slice(at, at + batchEntries);
      await (isReadable ? this.#apply(batch, { from, isSent }) : this.#applySound(batch, { from, isSent }));
    }
    this.#queue.splice(0, items);
    this.stats.done += entries.length;
    for (const item of taken) item.onDone();
  }

  /** Applies those entries that are BSON through and through, one by one. */
  async #applySound(entries: readonly OplogEntry[], origin: Origin): Promise<void> {
    for (const entry of entries) {
      // Anybody may send what is no BSON over a socket: that is no reason to end.
      if (entry.isSound) await this.#apply([entry], origin);
      else
        await this.giveUp(messageOf(entry, origin.from), new Error('an entry is not BSON'), {
          mayStop: !origin.isSent,
        });
    }
  }

  async #apply(entries: readonly OplogEntry[], origin: Origin): Promise<void> {
    const error = await this.#tryRepeatedly(entries);
    if (error === undefined) return;
    if (error === 'unsound') {
      await this.#applySound(entries, origin);
    } else if (entries.length === 1 || this.#o.config.onError === 'stop') {
      await this.giveUp(recordOf(entries[0], origin.from), error, { count: entries.length });
    } else {
      await this.#isolate(entries, origin.from);
    }
  }

  /** @returns the last rejection; `unsound` when that is no wonder; undefined when the entries are applied. @throws when it is time to stop, or to pause */
  async #tryRepeatedly(entries: readonly OplogEntry[]): Promise<Error | 'unsound' | undefined> {
    const { config, stop, logger } = this.#o;
    for (let attempt = 0; ; attempt++) {
      const error = await this.#try(entries, attempt);
      if (error === undefined) {
        this.#backoff.reset();
        this.stats.trouble = undefined;
        return undefined;
      }
      stop.throwIfAborted();
      if (attempt === 0 && !entries.every((entry) => entry.isSound)) return 'unsound';
      if (attempt >= config.retries) return error;
      this.stats.retries++;
      this.stats.trouble = `the replayer rejects: ${describeError(error)}`;
      if (attempt === 0) logger.warn(`${this.stats.trouble}; it is given the entries again`);
      const end = AbortSignal.any([stop, this.#paused.signal]);
      await sleep(this.#backoff.nextMs(), end);
      end.throwIfAborted();
    }
  }

  async #try(entries: readonly OplogEntry[], attempt: number): Promise<Error | undefined> {
    try {
      await this.#o.replayer.apply(entries, { attempt, signal: this.#o.stop });
      return undefined;
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Finds the entries that are rejected on their own; all others are applied, in order. */
  async #isolate(entries: readonly OplogEntry[], from: string): Promise<void> {
    const error = await this.#try(entries, 1);
    if (error === undefined) return;
    this.#o.stop.throwIfAborted();
    if (entries.length === 1) {
      await this.giveUp(recordOf(entries[0], from), error);
      return;
    }
    const half = Math.ceil(entries.length / 2);
    await this.#isolate(entries.slice(0, half), from);
    await this.#isolate(entries.slice(half), from);
  }
}

function recordOf(entry: OplogEntry, from: string): Omit<DeadLetterRecord, 'time' | 'error'> {
  const { position, ns, op, bytes } = entry;
  return {
    kind: 'entry',
    from,
    ns,
    op,
    position: `${secondsOf(position)}:${incrementOf(position)}`,
    bytes: bytes.toString('base64'),
  };
}

function messageOf(entry: OplogEntry, from: string): Omit<DeadLetterRecord, 'time' | 'error'> {
  return { kind: 'message', from, bytes: entry.bytes.toString('base64') };
}
