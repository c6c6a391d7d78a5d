import type { ReplicationStats } from '../metrics/replication-stats.ts';
import { connectMongo } from '../mongo/connect-mongo.ts';
import type { ConnectMode } from '../mongo/connect-mode.ts';
import { commandError } from '../mongo/mongo-connection-error.ts';
import type { MongoConnection } from '../mongo/mongo-connection.ts';
import type { MongoTlsOptions } from '../mongo/mongo-tls.ts';
import type { PinnedMember } from '../mongo/pinned-member.ts';
import { isPassingMongoError } from '../mongo/server-error.ts';
import { assertHasOplog } from '../mongo/topology.ts';
import { formatPosition, type Position } from '../oplog/position.ts';
import { must } from '../shared/assert.ts';
import { Backoff } from '../shared/backoff.ts';
import { describeError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { sleep } from '../shared/sleep.ts';
import { BatchSizer } from './batch-sizer.ts';
import type { ChangeSource, OplogWindow, RawBatch } from './change-source.ts';
import { OplogFetch } from './oplog-fetch.ts';
import { OplogTail, type ReadConcernLevel } from './oplog-tail.ts';
import { readOplogWindow } from './oplog-window.ts';
import { PreparedMember } from './prepared-member.ts';
import { ReplyPatience } from './reply-patience.ts';

export interface OplogSourceOptions {
  readonly url: string;
  readonly connectMode: ConnectMode;
  readonly tls?: MongoTlsOptions | undefined;
  readonly readConcern: ReadConcernLevel;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
  readonly stats?: Pick<ReplicationStats, 'sourceReconnects'>;
  /** Never ask for more entries at once; how many it is follows from their size. */
  readonly batchSizeMax?: number;
  /** How long the server holds an idle request: one command per so much time is what idling costs. Default 1 s. */
  readonly awaitMs?: number;
  /** A member that is silent for so long in a request is given up; twice as long after each time in a row, up to 30 s. Default 5 s. */
  readonly replyTimeoutMs?: number;
}

const DEFAULT_AWAIT_MS = 1000;
/** An idle request is answered after `awaitMs` at the latest. */
const DEFAULT_REPLY_TIMEOUT_MS = 5000;
/** For the short questions beside the reading. */
const SOCKET_TIMEOUT_MS = 5000;
/** Connections that have rested for longer may have died in silence. The one that is asked for the oplog window every 5 s is kept. */
const MAX_IDLE_TIME_MS = 10_000;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1000;
/** A cursor that lived so long was healthy, even if nothing came. */
const HEALTHY_AFTER_MS = 10_000;

/** Reads the oplog of one replica set as raw bytes. */
export class OplogSource implements ChangeSource {
  readonly #options: OplogSourceOptions;
  readonly #logger: Logger;
  #connection: MongoConnection | undefined;
  #fetch: OplogFetch | undefined;
  readonly #prepared = new PreparedMember();

  constructor(options: OplogSourceOptions) {
    this.#options = options;
    this.#logger = options.logger;
  }

  get name(): string {
    return this.connection.topology.setName;
  }

  /** The connection, for questions about the deployment (unique indexes, version). Known after {@link open}. */
  get connection(): MongoConnection {
    return must(this.#connection, 'the source is not open');
  }

  async open(signal: AbortSignal): Promise<void> {
    const { url, connectMode, tls } = this.#options;
    this.#connection = await connectMongo({
      ...{ url, connectMode, tls },
      purpose: 'source',
      socketTimeoutMs: SOCKET_TIMEOUT_MS,
      maxIdleTimeMs: MAX_IDLE_TIME_MS,
    });
    assertHasOplog(this.#connection.topology, url);
    await this.window(signal);
  }

  async window(signal: AbortSignal): Promise<OplogWindow> {
    const { connection } = this;
    try {
      return await readOplogWindow((db, command) => connection.command(db, command, { signal }), 'local');
    } catch (error) {
      throw commandError(error, { url: this.#options.url, what: 'read the oplog' });
    }
  }

  /** Connects to the member that {@link read} will begin with while other things are made ready; a failure is that of the reading. */
  prepare(signal: AbortSignal): void {
    this.#prepared.prepare(() => this.#pin(signal, this.#newPatience()));
  }

  async *read(after: Position, signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    const { budget, readConcern, batchSizeMax, awaitMs = DEFAULT_AWAIT_MS } = this.#options;
    const backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    const sizer = new BatchSizer({ limitBytes: budget.limitBytes, batchSizeMax });
    const logger = new StateLog(this.#logger);
    const patience = this.#newPatience();
    let position = after;
    while (!signal.aborted) {
      const startedAtMs = performance.now();
      let member: PinnedMember | undefined;
      let isTrouble = false;
      try {
        member = await (this.#prepared.take() ?? this.#pin(signal, patience));
        const tail = new OplogTail({
          connection: this.connection,
          member,
          name: this.name,
          after: position,
          readConcern,
          budget,
          sizer,
          logger: this.#logger,
          awaitMs,
        });
        for await (const batch of tail.batches(signal)) {
          logger.well(
            `reading the oplog of ${this.name} on ${member.host} after ${formatPosition(position)}`,
          );
          backoff.reset();
          patience.answered();
          position = tail.last;
          yield batch;
        }
        logger.left(`the cursor on ${member.host} ended`);
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassingMongoError(error)) {
          throw commandError(error, { url: this.#options.url, what: 'read the oplog' });
        }
        isTrouble = true;
        patience.failed(error);
        logger.trouble(`cannot read the oplog of ${this.name}, trying again: ${describeError(error)}`);
      } finally {
        const closing = member?.[Symbol.asyncDispose]();
        // The farewell to a server that may be dead must not delay the next try, nor a stop.
        if (!isTrouble && !signal.aborted) await closing;
      }
      if (performance.now() - startedAtMs > HEALTHY_AFTER_MS) backoff.reset();
      if (!signal.aborted && this.#options.stats) this.#options.stats.sourceReconnects += 1;
      await sleep(backoff.nextMs(), signal);
    }
  }

  fetch(positions: readonly Position[], signal: AbortSignal): AsyncGenerator<RawBatch, void, undefined> {
    this.#fetch ??= new OplogFetch({
      name: () => this.name,
      url: this.#options.url,
      pin: (pinSignal, patience) => this.#pin(pinSignal, patience),
      patience: this.#newPatience(),
      budget: this.#options.budget,
      readConcern: this.#options.readConcern,
      logger: this.#logger,
    });
    return this.#fetch.entries(positions, signal);
  }

  #newPatience(): ReplyPatience {
    return new ReplyPatience(this.#options.replyTimeoutMs ?? DEFAULT_REPLY_TIMEOUT_MS);
  }

  #pin(signal: AbortSignal, patience: ReplyPatience): Promise<PinnedMember> {
    return this.connection.pinMember({ signal, replyTimeoutMs: patience.ms });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#prepared[Symbol.asyncDispose]();
    await this.#fetch?.[Symbol.asyncDispose]();
    await this.#connection?.[Symbol.asyncDispose]();
  }
}

/** One log line when trouble begins and one when it ends, however many tries lie between. */
class StateLog {
  readonly #logger: Logger;
  #state: 'new' | 'well' | 'left' | 'trouble' = 'new';

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  well(message: string): void {
    if (this.#state !== 'well') this.#logger.info(message);
    this.#state = 'well';
  }

  left(message: string): void {
    if (this.#state === 'well') this.#logger.info(message);
    this.#state = 'left';
  }

  trouble(message: string): void {
    if (this.#state !== 'trouble') this.#logger.warn(message);
    this.#state = 'trouble';
  }
}
