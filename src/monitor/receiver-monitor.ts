import Fastify, { type FastifyInstance } from 'fastify';
import type { ReceiverView } from '../metrics/receiver-view.ts';
import { formatPosition } from '../oplog/position.ts';
import { MonitorListenError } from './monitor-listen-error.ts';
import { serverLimits } from './server-limits.ts';

const CONNECTIONS_MAX = 64;

export interface ReceiverMonitorOptions {
  readonly view: () => ReceiverView;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

/** The status server of a receiver: `/repl` and `/replayer` as `mongoshake-stat` reads them, `/status`, `/healthz`, `/metrics`. Read only. */
export class ReceiverMonitor implements AsyncDisposable {
  /** For tests: `server.inject`. */
  readonly server: FastifyInstance;

  constructor({ view, metrics }: ReceiverMonitorOptions) {
    this.server = Fastify({ logger: false, ...serverLimits });
    this.server.server.maxConnections = CONNECTIONS_MAX;
    this.server.get('/repl', () => replPage(view()));
    this.server.get('/replayer', () => replayerPages(view()));
    this.server.get('/status', () => statusPage(view()));
    this.server.get('/healthz', (_request, reply) => {
      const problems = problemsOf(view());
      return reply
        .code(problems.length === 0 ? 200 : 503)
        .send({ status: problems.length === 0 ? 'ok' : 'failing', problems });
    });
    this.server.get('/metrics', async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.text()),
    );
  }

  /** @throws MonitorListenError when the port is taken or the address is not ours */
  async listen(address: { host: string; port: number }): Promise<void> {
    try {
      await this.server.listen(address);
    } catch (cause) {
      throw new MonitorListenError({ ...address, portKey: 'http.port', cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
  }
}

function problemsOf({ trouble, replayers }: ReceiverView): string[] {
  return [trouble, ...replayers.map((replayer) => replayer.trouble)].filter((text) => text !== undefined);
}

function replPage({ version, traffic, replayers }: ReceiverView): object {
  return {
    who: 'receiver',
    tag: version,
    logs_get: traffic.messages,
    logs_success: replayers.reduce((sum, { done }) => sum + done, 0),
    bytes_get: traffic.bytes,
  };
}

function replayerPages({ replayers }: ReceiverView): object[] {
  return replayers.map(({ done, queued }, index) => ({
    worker_id: index,
    jobs_in_queue: queued,
    count: done,
  }));
}

function statusPage(view: ReceiverView): object {
  const { id, version, tunnel, traffic, replayers, memory } = view;
  const problems = problemsOf(view);
  return {
    id,
    version,
    who: 'receiver',
    tunnel,
    status: problems.length === 0 ? 'ok' : 'failing',
    problems,
    traffic,
    memory: {
      used_bytes: memory.usedBytes,
      peak_bytes: memory.peakBytes,
      limit_bytes: memory.limitBytes,
      rss_bytes: process.memoryUsage.rss(),
    },
    replayers: replayers.map((replayer, index) => ({
      replayer: index,
      entries_done: replayer.done,
      messages_queued: replayer.queued,
      retries: replayer.retries,
      skipped: replayer.skipped,
      dead_lettered: replayer.deadLettered,
    })),
    shards: [...view.shards].map(([shard, { pending, ack }]) => ({
      shard,
      pending,
      ack: ack === 0n ? '' : formatPosition(ack),
    })),
  };
}
