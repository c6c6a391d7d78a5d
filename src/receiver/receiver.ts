import type { ReceiverConfig } from '../config/receiver-config.ts';
import { ReceiverMetrics } from '../metrics/receiver-metrics.ts';
import type { ReceiverView } from '../metrics/receiver-view.ts';
import { ReceiverMonitor } from '../monitor/receiver-monitor.ts';
import { describeError, OplogueError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';
import { whenAborted } from '../shared/when-aborted.ts';
import type { MessageReader } from '../tunnel/message-reader.ts';
import { createMessageReader } from './create-message-reader.ts';
import { describeReceiver } from './describe-receiver.ts';
import { DeadLetter } from './dead-letter.ts';
import { loadReplayers } from './load-replayer.ts';
import { ReplayerError } from './replayer-error.ts';
import { ReplayerPool } from './replayer-pool.ts';
import type { Replayer } from './replayer.ts';

/** One receiver: a tunnel's end, and replayers behind it. */
export class Receiver {
  readonly #config: ReceiverConfig;
  readonly #version: string;
  readonly #logger: Logger;
  readonly #budget: MemoryBudget;

  constructor(options: { config: ReceiverConfig; version: string; logger: Logger }) {
    this.#config = options.config;
    this.#version = options.version;
    this.#logger = options.logger;
    this.#budget = new MemoryBudget(options.config.memoryLimitBytes);
  }

  /**
   * Runs until the signal aborts, and resolves when what the replayers had in their hands is done and said to the far side.
   * @throws ReplayerError, or what the tunnel throws when nothing more can come in
   */
  async run(signal: AbortSignal): Promise<void> {
    const { replayer: config, tunnel } = this.#config;
    const replayers = await loadReplayers(config);
    const opened = new Set<Replayer>();
    try {
      await this.#openAll(replayers, opened);
      const pool = new ReplayerPool({
        replayers,
        config,
        deadLetter: new DeadLetter(config.deadLetter),
        budget: this.#budget,
        logger: this.#logger,
      });
      await using reader = createMessageReader(tunnel, {
        logger: this.#logger,
        budget: this.#budget,
        replayers: config.count,
      });
      await using _monitor = await this.#startMonitor(reader, pool);
      await this.#serve(reader, pool, signal);
    } finally {
      for (const replayer of opened) await this.#close(replayer);
    }
  }

  /** @throws MonitorListenError */
  async #startMonitor(reader: MessageReader, pool: ReplayerPool): Promise<ReceiverMonitor | undefined> {
    const { http } = this.#config;
    if (http === undefined) return undefined;
    const view = (): ReceiverView => this.#view(reader, pool);
    const monitor = new ReceiverMonitor({ view, metrics: new ReceiverMetrics(view) });
    await monitor.listen({ host: http.bind, port: http.port });
    return monitor;
  }

  #view({ trouble, traffic }: MessageReader, { lanes, refused, shards }: ReplayerPool): ReceiverView {
    return {
      id: this.#config.id,
      version: this.#version,
      tunnel: this.#config.tunnel.kind,
      trouble,
      traffic: { ...traffic, refused: traffic.refused + refused },
      replayers: lanes.map(({ stats, queued }) => {
        const { done, retries, skipped, deadLettered, trouble: rejection } = stats;
        return { done, retries, skipped, deadLettered, queued, trouble: rejection };
      }),
      shards,
      memory: this.#budget,
    };
  }

  /** @throws what ended it, unless it was the signal */
  async #serve(reader: MessageReader, pool: ReplayerPool, signal: AbortSignal): Promise<void> {
    const ends = [pool.failed, reader.failed, signal];
    try {
      await reader.open(pool, signal);
      this.#logger.info(`receiving: ${describeReceiver(this.#config)}`);
      await Promise.race(ends.map(whenAborted));
      const first = ends.find(({ aborted }) => aborted);
      if (first !== signal) first?.throwIfAborted();
    } finally {
      // First the replayers: the reader says last what is done.
      await pool.stop();
    }
  }

  async #openAll(replayers: readonly Replayer[], opened: Set<Replayer>): Promise<void> {
    const { count, argument } = this.#config.replayer;
    for (const [index, replayer] of replayers.entries()) {
      if (opened.has(replayer)) continue;
      opened.add(replayer);
      try {
        await replayer.open?.({ index, count, argument, logger: this.#logger });
      } catch (cause) {
        if (cause instanceof OplogueError) throw cause;
        throw new ReplayerError({
          code: 'REPLAYER_OPEN',
          message: `Replayer ${index} does not open: ${describeError(cause)}`,
          hint: 'look at the open method of replayer.module',
          cause,
        });
      }
    }
  }

  async #close(replayer: Replayer): Promise<void> {
    try {
      await replayer.close?.();
    } catch (error) {
      this.#logger.error(`a replayer does not close: ${describeError(error)}`);
    }
  }
}
