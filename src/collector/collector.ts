import { AckWindow } from '../checkpoint/ack-window.ts';
import type { Checkpoint, CheckpointStore } from '../checkpoint/checkpoint-store.ts';
import { CheckpointWriter } from '../checkpoint/checkpoint-writer.ts';
import type { Config } from '../config/config.ts';
import { configAsMongoShakeJson } from '../config/config-as-json.ts';
import { Sentinel } from '../config/sentinel.ts';
import { LatencyHistogram } from '../metrics/latency-histogram.ts';
import { MetricsRegistry } from '../metrics/metrics-registry.ts';
import { ReplicationStats } from '../metrics/replication-stats.ts';
import type { Election } from '../election/election.ts';
import type { HeldLease } from '../election/held-lease.ts';
import type { Lease } from '../election/lease.ts';
import { hasUniqueIndex } from '../mongo/has-unique-index.ts';
import { Monitor } from '../monitor/monitor.ts';
import { metricLine } from '../monitor/metric-line.ts';
import { NamespaceFilter } from '../namespace/namespace-filter.ts';
import { NamespaceTable } from '../namespace/namespace-table.ts';
import { GidFilter } from '../oplog/gid-filter.ts';
import { LaneRouter } from '../oplog/lane-router.ts';
import { positionOf } from '../oplog/position.ts';
import { Governor } from '../pipeline/governor.ts';
import { Lane } from '../pipeline/lane.ts';
import { OpenTransactions } from '../pipeline/open-transactions.ts';
import { Pipeline } from '../pipeline/pipeline.ts';
import { allOrNone } from '../shared/all-or-none.ts';
import { Backoff } from '../shared/backoff.ts';
import { describeError, isRestartable, OplogueError } from '../shared/errors.ts';
import { failpoint } from '../shared/failpoint.ts';
import type { Logger } from '../shared/logger.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';
import { sleep } from '../shared/sleep.ts';
import type { OplogWindow } from '../source/change-source.ts';
import { OplogSource } from '../source/oplog-source.ts';
import { decideStart, type StartDecision } from '../source/start-position.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';
import { createCheckpointStore } from './create-checkpoint-store.ts';
import { createElection } from './create-election.ts';
import { createStandby, createTunnel, type TunnelStandby } from './create-tunnel.ts';
import { Replication } from './replication.ts';

/** MongoShake prints its metric line as often. */
const METRIC_LINE_INTERVAL_MS = 5000;
const RESTART_MIN_MS = 200;
const RESTART_MAX_MS = 10_000;
/** Fenced twice within this time: somebody with the same id runs outside of the election. */
const FENCED_AGAIN_MS = 60_000;
/** A replication that ran for so long was well; the next failure is a new one. */
const HEALTHY_AFTER_MS = 60_000;

/** What a replication goes between, and by what right. */
interface ReplicationEnds {
  readonly source: OplogSource;
  readonly store: CheckpointStore;
  /** With an election. */
  readonly lease: Lease | undefined;
  /** With an election, where the tunnel can be made ready before it. */
  readonly standby?: TunnelStandby | undefined;
}

export interface CollectorOptions {
  readonly config: Config;
  readonly version: string;
  readonly logger: Logger;
}

/**
 * One collector: connects to the source, the checkpoint store and the tunnel, serves the status pages, and runs the
 * replication between them until it is stopped.
 */
export class Collector {
  readonly #config: Config;
  readonly #logger: Logger;
  readonly #version: string;
  readonly #budget: MemoryBudget;
  readonly #stats: ReplicationStats;
  readonly #latency = new LatencyHistogram();
  readonly #sentinel = new Sentinel();
  #election: Election | undefined;

  constructor(options: CollectorOptions) {
    const { config } = options;
    this.#config = config;
    this.#logger = options.logger;
    this.#version = options.version;
    this.#budget = new MemoryBudget(config.memoryLimitBytes);
    this.#stats = new ReplicationStats('', config.workers.count);
  }

  /**
   * With `master_quorum` it stands by until it is elected, and again after it has lost its lease; its pages are there all the time.
   *
   * Runs until the signal aborts (then it returns once what is on its way is durable and the last checkpoint written), the
   * exit point is reached, or something fails.
   * @throws OplogueError what failed, with the cure
   */
  async run(stop: AbortSignal): Promise<void> {
    await using election = this.#config.isElected
      ? await createElection(this.#config, this.#logger)
      : undefined;
    this.#election = election;
    await using monitor = this.#createMonitor();
    const { bind, port } = this.#config.http;
    await monitor.listen({ host: bind, port });
    await using source = this.#createSource();
    await source.open(stop);
    this.#stats.name = source.name;
    // A standby is connected already when it is elected.
    await using store = await createCheckpointStore(this.#config.checkpoint);
    if (election === undefined) await this.#replicateOn({ source, store, lease: undefined }, stop);
    else await this.#serveWhenElected({ source, store, election }, stop);
  }

  /** One term after the other, until it is stopped or a replication ends for another reason than a lost lease or a server that is away. */
  async #serveWhenElected(
    ends: { source: OplogSource; store: CheckpointStore; election: Election },
    stop: AbortSignal,
  ): Promise<void> {
    const { source, store, election } = ends;
    const over = AbortSignal.any([stop, this.#sentinel.shutdown]);
    await using standby = createStandby(this.#config, { source: source.name, logger: this.#logger });
    let fencedMs = -Infinity;
    while (!over.aborted) {
      this.#stats.state = 'standby';
      this.#stats.reason = '';
      const lease = await standBy({ election, standby }, over);
      if (lease === undefined) return;
      this.#stats.state = 'starting';
      const announce = (): void => void election.announceEnd(lease);
      over.addEventListener('abort', announce, { once: true });
      try {
        failpoint('in-election-takeover');
        await this.#replicateOn({ source, store: store.ofTerm(lease.term), lease, standby }, stop);
        return;
      } catch (error) {
        // A former master that wakes in its own takeover fences the one after it, once, and is fenced by the next attempt.
        const isStray = isFenced(error) && performance.now() - fencedMs > FENCED_AGAIN_MS;
        if (isFenced(error)) fencedMs = performance.now();
        if (lease.isHeld && !isStray && !isRestartable(error)) throw error;
        this.#logger.warn(describeError(lease.isHeld ? error : lease.lost.reason));
        this.#stats.abandonOutstanding();
      } finally {
        over.removeEventListener('abort', announce);
        await election.release(lease);
      }
      await sleep(RESTART_MIN_MS, over);
    }
  }

  /** Replicates until it is stopped; begins again where that is the cure. */
  async #replicateOn(ends: ReplicationEnds, stop: AbortSignal): Promise<void> {
    const backoff = new Backoff({ minMs: RESTART_MIN_MS, maxMs: RESTART_MAX_MS });
    while (!stop.aborted) {
      const startedMs = performance.now();
      try {
        await this.#replicate(ends, stop);
        return;
      } catch (error) {
        if (!isRestartable(error)) throw error;
        if (performance.now() - startedMs > HEALTHY_AFTER_MS) backoff.reset();
        this.#logger.warn(`The replication begins again: ${describeError(error)}`);
      }
      this.#stats.abandonOutstanding();
      await sleep(backoff.nextMs(), stop);
      ends.lease?.lost.throwIfAborted();
    }
  }

  /** From the start position to the end of one replication. */
  async #replicate({ source, store, lease, standby }: ReplicationEnds, stop: AbortSignal): Promise<void> {
    await using tunnel = createTunnel(this.#config, {
      source: source.name,
      budget: this.#budget,
      logger: this.#logger,
      mayWrite: lease && (() => lease.isHeld),
      lost: lease?.lost,
      standby,
    });
    const opening = lease === undefined ? stop : AbortSignal.any([stop, lease.lost]);
    source.prepare(opening);
    // At once: a takeover is as long as the longest of them.
    const [checkpoint, window, shardKey] = await allOrNone((failed) => [
      this.#claimedCheckpoint({ source, store, lease }),
      source.window(opening),
      this.#shardKey(source),
      tunnel.open(AbortSignal.any([opening, failed])),
    ]);
    standby?.rest();
    lease?.lost.throwIfAborted();
    if (stop.aborted) return;
    const start = await this.#startPosition({ source, tunnel, checkpoint, window }, stop);
    const replication = this.#createReplication({ source, store, lease, tunnel, start, shardKey });
    const metricLines = setInterval(() => {
      this.#logger.info(metricLine(this.#stats, Date.now()));
    }, METRIC_LINE_INTERVAL_MS);
    try {
      await replication.run(start.after, AbortSignal.any([stop, this.#sentinel.shutdown]));
    } finally {
      clearInterval(metricLines);
    }
  }

  #createMonitor(): Monitor {
    const election = this.#election;
    const view = {
      stats: this.#stats,
      latency: this.#latency,
      queue: () => ({ fetchedUsed: 0, fetchedSize: 1 }),
    };
    const common = {
      id: this.#config.id,
      version: this.#version,
      sources: () => [view],
      budget: this.#budget,
      leadership: election === undefined ? undefined : () => election.leadership,
    };
    return new Monitor({
      ...common,
      metrics: new MetricsRegistry(common),
      sentinel: this.#sentinel,
      conf: configAsMongoShakeJson(this.#config),
    });
  }

  #createSource(): OplogSource {
    const { source } = this.#config;
    return new OplogSource({
      url: source.url,
      connectMode: source.connectMode,
      tls: source.tls,
      readConcern: source.readConcern,
      budget: this.#budget,
      logger: this.#logger,
      stats: this.#stats,
    });
  }

  /** The stored checkpoint; with a lease nobody of an earlier term can change it any more (I5). */
  async #claimedCheckpoint({ source, store, lease }: ReplicationEnds): Promise<Checkpoint | undefined> {
    if (lease !== undefined) await store.claim(source.name);
    return store.load(source.name);
  }

  async #startPosition(
    found: {
      source: OplogSource;
      tunnel: Tunnel;
      checkpoint: Checkpoint | undefined;
      window: OplogWindow;
    },
    stop: AbortSignal,
  ): Promise<StartDecision> {
    const { source, tunnel, checkpoint } = found;
    const frontier = tunnel.frontiers?.committed?.resumeAfter;
    const isNewer = (frontier ?? checkpoint?.position ?? 0n) > found.window.newest;
    // The master before us may have gone on after the source was asked.
    const window = isNewer ? await source.window(stop) : found.window;
    const decision = decideStart({
      source: source.name,
      checkpoint: checkpoint?.position,
      frontier,
      startPosition: positionOf(this.#config.checkpoint.startPositionSeconds, 0),
      window,
    });
    this.#logger.info(decision.text);
    return decision;
  }

  #createReplication(
    parts: ReplicationEnds & { tunnel: Tunnel; start: StartDecision; shardKey: 'collection' | 'id' },
  ): Replication {
    const { source, store, lease, tunnel, start, shardKey } = parts;
    const config = this.#config;
    const stats = this.#stats;
    const logger = this.#logger;
    const acks = new AckWindow(start.after);
    const governor = new Governor({
      sentinel: this.#sentinel,
      targetDelaySeconds: config.source.targetDelaySeconds,
    });
    const filter = new NamespaceFilter({
      black: config.filter.deny,
      white: config.filter.allow,
      passSpecialDb: config.filter.passSpecialDbs.join(';'),
      checkpointDb: config.checkpoint.db,
    });
    const pipeline = new Pipeline(
      {
        stats,
        lanes: stats.lanes.map((lane) => new Lane(tunnel.lane(lane.index), lane)),
        filter,
        namespaces: new NamespaceTable({ filter, idSharded: config.workers.shardByIdCollections }),
        gids: new GidFilter(config.filter.gids),
        router: new LaneRouter({ lanes: config.workers.count, shardKey }),
        transactions: new OpenTransactions({
          source,
          budget: this.#budget,
          version: config.tunnel.message === 'json' ? 'mongoshake' : 'parent',
          logger,
          mayBeginInside: start.by === 'start_position' || start.by === 'oldest',
        }),
        acks,
        budget: this.#budget,
        latency: this.#latency,
        governor,
        carriesDdl: config.filter.ddlEnabled,
        stripsGid: config.filter.stripGids,
        frontiers: tunnel.frontiers,
      },
      start.after,
    );
    const checkpoints = new CheckpointWriter({
      store,
      acks,
      fetchMethod: 'oplog',
      intervalMs: config.checkpoint.intervalMs,
      maxAgeMs: config.checkpoint.maxAgeMs,
      stats,
      logger,
      ...(lease === undefined ? {} : { mayWrite: () => lease.isHeld }),
    });
    const lost = lease?.lost;
    return new Replication({ source, tunnel, pipeline, checkpoints, governor, stats, logger, lost });
  }

  /** `incr_sync.shard_key`, with `auto` resolved as MongoShake does: by collection as soon as there is a unique index. */
  async #shardKey(source: OplogSource): Promise<'collection' | 'id'> {
    const { shardKey } = this.#config.workers;
    if (shardKey !== 'auto') return shardKey;
    const chosen = (await hasUniqueIndex(source.connection)) ? 'collection' : 'id';
    this.#logger.info(`incr_sync.shard_key = auto: entries are spread by ${chosen}`);
    return chosen;
  }
}

/** Waits until it is elected, and has everything at hand then. */
async function standBy(
  { election, standby }: { election: Election; standby: TunnelStandby | undefined },
  over: AbortSignal,
): Promise<HeldLease | undefined> {
  const elected = new AbortController();
  void standby?.keepReady(AbortSignal.any([over, elected.signal]));
  try {
    return await election.stand(over);
  } finally {
    elected.abort();
  }
}

/** Whether another collector with our id has taken the source over in Kafka. */
function isFenced(error: unknown): boolean {
  return error instanceof OplogueError && error.code === 'KAFKA_FENCED';
}
