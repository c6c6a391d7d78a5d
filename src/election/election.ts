import { randomUUID } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type { Leadership } from '../metrics/leadership.ts';
import type { MongoConnection } from '../mongo/mongo-connection.ts';
import { commandError } from '../mongo/mongo-connection-error.ts';
import { objectIdOf } from '../mongo/object-id.ts';
import { isPassingMongoError, isDuplicateKey } from '../mongo/server-error.ts';
import { hedged } from '../shared/hedged.ts';
import type { Logger } from '../shared/logger.ts';
import { sleep } from '../shared/sleep.ts';
import { SleepMeter } from '../shared/sleep-meter.ts';
import {
  ELECTION_COLLECTION,
  ELECTION_DATABASE,
  electionFieldsOf,
  electionIdOf,
  type ElectionFields,
} from './election-document.ts';
import { ElectionError } from './election-error.ts';
import { HeldLease } from './held-lease.ts';

/** A renewal that has no answer by then is asked for once more: its connection may have died in silence. Two of them do as one does. */
const RENEWAL_LATE_MS = 600;
/** How often a follower looks while the master is about to end. */
const POLL_ENDING_EVERY_MS = 20;

/** How fast things go; the defaults take over within 5 s of a kill -9. */
export interface ElectionTiming {
  readonly renewEveryMs: number;
  /** A master that could not renew for so long gives itself up. */
  readonly giveUpAfterMs: number;
  /** A follower that has seen no sign of life for so long takes over; longer than {@link giveUpAfterMs}. */
  readonly takeOverAfterMs: number;
  /** The same for a document of MongoShake, which renews every 5 s. */
  readonly takeOverFromMongoShakeAfterMs: number;
  readonly pollEveryMs: number;
}

export const defaultElectionTiming: ElectionTiming = {
  renewEveryMs: 400,
  giveUpAfterMs: 2200,
  takeOverAfterMs: 2900,
  takeOverFromMongoShakeAfterMs: 15_000,
  pollEveryMs: 100,
};

export interface ElectionOptions {
  /** Connection to `checkpoint.storage.url`, 64-bit integers as bigint; closed with the election. */
  readonly connection: MongoConnection;
  /** `id`: collectors of one job compete, those of different jobs do not. */
  readonly jobId: string;
  readonly logger: Logger;
  readonly timing?: ElectionTiming;
}

/**
 * Chooses one of several collectors of a job: MongoShake's election document with a term that grows by
 * compare-and-set at every takeover. A follower takes over when the document has not changed for a while by its own
 * monotonic clock.
 */
export class Election implements AsyncDisposable {
  readonly #options: ElectionOptions;
  readonly #timing: ElectionTiming;
  readonly #owner = randomUUID();
  readonly #host = ownAddress();
  readonly #filter: { readonly _id: ReturnType<typeof objectIdOf> };
  #leadership: Leadership = { role: 'standby', term: 0n, master: undefined, sinceMs: Date.now() };

  constructor(options: ElectionOptions) {
    this.#options = options;
    this.#timing = options.timing ?? defaultElectionTiming;
    this.#filter = { _id: objectIdOf(electionIdOf(options.jobId)) };
  }

  get leadership(): Leadership {
    return this.#leadership;
  }

  /**
   * Waits until this collector is the master.
   * @returns undefined when the signal aborts first
   * @throws ElectionError when a MongoShake collector is the living master: the two cannot hand over to each other safely
   */
  async stand(signal: AbortSignal): Promise<HeldLease | undefined> {
    const { logger } = this.#options;
    this.#leadership = { ...this.#leadership, role: 'standby', sinceMs: Date.now() };
    let seen: ElectionFields | undefined;
    let seenAtMs = 0;
    let saidTrouble = false;
    while (!signal.aborted) {
      let isEnding = false;
      try {
        const wonAtMs = performance.now();
        const sleepMeter = new SleepMeter();
        const fields = await this.#read();
        if (signal.aborted) return undefined;
        if (saidTrouble) logger.info('The election store answers again');
        saidTrouble = false;
        const term = await this.#tryToWin({ fields, seen, seenAtMs });
        if (term !== undefined) return this.#begin(term, { wonAtMs, sleepMeter });
        isEnding = fields?.ending === true;
        if (fields !== undefined && !isSameLife(fields, seen)) {
          this.#noteMaster(fields, seen);
          seen = fields;
          seenAtMs = performance.now();
        }
      } catch (error) {
        if (!isPassingMongoError(error)) throw this.#explained(error);
        if (!saidTrouble) logger.warn(`The election store does not answer; trying again: ${String(error)}`);
        saidTrouble = true;
        // What was seen before it went away proves nothing about the time since.
        seen = undefined;
      }
      await sleep(isEnding ? POLL_ENDING_EVERY_MS : this.#pauseMs(seen, seenAtMs), signal);
    }
    return undefined;
  }

  /** How long until the next look: no longer than until the master may be followed. */
  #pauseMs(seen: ElectionFields | undefined, seenAtMs: number): number {
    const { pollEveryMs } = this.#timing;
    if (seen === undefined) return pollEveryMs;
    const leftMs = seenAtMs + this.#patienceMs(seen) - performance.now();
    return leftMs > 0 ? Math.min(leftMs, pollEveryMs) : pollEveryMs;
  }

  /** How long a master may be silent before it is followed. */
  #patienceMs({ beat }: ElectionFields): number {
    const { takeOverAfterMs, takeOverFromMongoShakeAfterMs } = this.#timing;
    return beat === undefined ? takeOverFromMongoShakeAfterMs : takeOverAfterMs;
  }

  /** Tells the followers that the lease will be released in a moment, once what is on its way is delivered. Never fails. */
  async announceEnd(lease: HeldLease): Promise<void> {
    await this.#collection
      .updateOne({ ...this.#filter, ...this.#ours(lease.term) }, { $set: { ending: true } })
      .catch(() => undefined);
  }

  /** Ends the lease; if it is still held, another collector may take over at once. Never fails. */
  async release(lease: HeldLease): Promise<void> {
    const isHeld = lease.end();
    this.#leadership = { role: 'standby', term: lease.term, master: undefined, sinceMs: Date.now() };
    if (!isHeld) return;
    await this.#collection
      .updateOne(
        { ...this.#filter, ...this.#ours(lease.term) },
        { $set: { released: true } },
        { writeConcern: { w: 'majority', wtimeoutMS: this.#timing.takeOverAfterMs } },
      )
      .catch(() => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#options.connection[Symbol.asyncDispose]();
  }

  get #collection() {
    const { client } = this.#options.connection;
    return client.db(ELECTION_DATABASE).collection(ELECTION_COLLECTION, {
      readPreference: 'primary',
      readConcern: { level: 'majority' },
    });
  }

  async #read(): Promise<ElectionFields | undefined> {
    const document = await this.#collection.findOne(this.#filter, {
      maxTimeMS: this.#timing.takeOverAfterMs,
    });
    return document === null ? undefined : electionFieldsOf(document);
  }

  /** @returns the term when this collector has won it */
  async #tryToWin(state: {
    fields: ElectionFields | undefined;
    seen: ElectionFields | undefined;
    seenAtMs: number;
  }): Promise<bigint | undefined> {
    const { fields, seen, seenAtMs } = state;
    if (fields === undefined) return this.#insert();
    // Nobody has taken over since the lease that we have lost or never knew that we had: there is nobody to wait for.
    if (fields.released || fields.owner === this.#owner) return this.#takeOver(fields);
    if (seen === undefined || !isSameLife(fields, seen)) return undefined;
    return performance.now() - seenAtMs < this.#patienceMs(fields) ? undefined : this.#takeOver(fields);
  }

  async #insert(): Promise<bigint | undefined> {
    const term = 1n;
    try {
      await this.#collection.insertOne(
        { ...this.#filter, ...this.#fields(term) },
        { writeConcern: { w: 'majority' } },
      );
      return term;
    } catch (error) {
      if (isDuplicateKey(error)) return undefined;
      throw error;
    }
  }

  /** Compare-and-set: only if the document is exactly what we have seen. */
  async #takeOver(from: ElectionFields): Promise<bigint | undefined> {
    const term = (from.term ?? 0n) + 1n;
    const { matchedCount } = await this.#collection.updateOne(
      {
        ...this.#filter,
        pid: from.pid,
        host: from.host,
        heartbeat: from.heartbeat,
        term: from.term ?? { $exists: false },
        beat: from.beat ?? { $exists: false },
      },
      { $set: this.#fields(term) },
      { writeConcern: { w: 'majority' } },
    );
    return matchedCount === 1 ? term : undefined;
  }

  #begin(term: bigint, won: { wonAtMs: number; sleepMeter: SleepMeter }): HeldLease {
    const { renewEveryMs, giveUpAfterMs } = this.#timing;
    const master = { host: this.#host, pid: process.pid };
    this.#leadership = { role: 'master', term, master, sinceMs: Date.now() };
    this.#options.logger.info(`This collector is the master now, term ${term}`);
    return new HeldLease({
      ...won,
      term,
      renewEveryMs,
      giveUpAfterMs,
      renew: () => hedged(() => this.#renew(term), RENEWAL_LATE_MS),
    });
  }

  async #renew(term: bigint): Promise<boolean> {
    const { matchedCount } = await this.#collection.updateOne(
      { ...this.#filter, ...this.#ours(term) },
      { $set: { heartbeat: nowSeconds() }, $inc: { beat: 1n } },
      { writeConcern: { w: 'majority' }, maxTimeMS: this.#timing.giveUpAfterMs },
    );
    return matchedCount === 1;
  }

  /** By which a renewal finds nothing once another run has the document, also one of MongoShake, which sets pid and host only. */
  #ours(term: bigint): { term: bigint; owner: string; pid: number; host: string } {
    return { term, owner: this.#owner, pid: process.pid, host: this.#host };
  }

  /** MongoShake's fields, with its types, then ours. */
  #fields(term: bigint): Record<string, unknown> {
    return {
      pid: process.pid,
      host: this.#host,
      heartbeat: nowSeconds(),
      term,
      owner: this.#owner,
      beat: 0n,
      ending: false,
      released: false,
      since: new Date(),
    };
  }

  #noteMaster(fields: ElectionFields, seen: ElectionFields | undefined): void {
    // A renewal of ours moves beat and heartbeat together, a takeover of ours the term.
    const isMongoShakes = fields.beat === seen?.beat && fields.term === seen?.term;
    if (seen !== undefined && isMongoShakes && fields.heartbeat !== seen.heartbeat) {
      throw new ElectionError({
        code: 'ELECTION_MONGOSHAKE_MASTER',
        message: `A MongoShake collector (pid ${fields.pid} on ${fields.host}) is the living master of this election`,
        hint: 'stop it, then start this one: it goes on from the same checkpoint. To run both beside each other give this one another id',
      });
    }
    const { master } = this.#leadership;
    if (master?.pid === fields.pid && master.host === fields.host) return;
    this.#leadership = {
      role: 'standby',
      term: fields.term ?? 0n,
      master: { host: fields.host, pid: fields.pid },
      sinceMs: this.#leadership.sinceMs,
    };
    this.#options.logger.info(`Standing by: the master is pid ${fields.pid} on ${fields.host}`);
  }

  #explained(error: unknown): unknown {
    if (error instanceof ElectionError) return error;
    const cause = commandError(error, {
      url: this.#options.connection.maskedUrl,
      what: `hold the election in ${ELECTION_DATABASE}.${ELECTION_COLLECTION}`,
    });
    return new ElectionError({
      code: 'ELECTION_STORE',
      message: cause.message,
      ...(cause.hint === undefined ? {} : { hint: cause.hint }),
      cause: error,
    });
  }
}

/** Whether nothing has happened between the two. */
function isSameLife(a: ElectionFields, b: ElectionFields | undefined): boolean {
  return (
    b !== undefined &&
    a.heartbeat === b.heartbeat &&
    a.beat === b.beat &&
    a.term === b.term &&
    a.owner === b.owner &&
    a.pid === b.pid
  );
}

function nowSeconds(): bigint {
  return BigInt(Math.floor(Date.now() / 1000));
}

/** The first IPv4 address that is not the loopback's, as MongoShake writes it. */
function ownAddress(): string {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { family, internal, address } of addresses ?? []) {
      if (family === 'IPv4' && !internal) return address;
    }
  }
  return 'error';
}
