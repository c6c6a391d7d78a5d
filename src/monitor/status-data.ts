import type { Leadership } from '../metrics/leadership.ts';
import type { SourceView } from '../metrics/source-view.ts';
import { formatPosition, type Position } from '../oplog/position.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import type { Health } from './health.ts';

/** `/status`: what our own page shows beyond MongoShake's pages, to which nothing may be added. */
export function statusData(
  collector: {
    readonly id: string;
    readonly version: string;
    readonly budget: MemoryBudget;
    readonly sources: () => readonly SourceView[];
    readonly leadership?: (() => Leadership) | undefined;
  },
  health: Health,
  nowMs: number,
): object {
  const { id, version, budget, sources, leadership } = collector;
  return {
    id,
    version,
    status: health.status,
    problems: health.sources.flatMap(({ name, problems }) => problems.map((text) => `${name}: ${text}`)),
    ...(leadership === undefined ? {} : { election: electionData(leadership()) }),
    memory: {
      used_bytes: budget.usedBytes,
      peak_bytes: budget.peakBytes,
      limit_bytes: budget.limitBytes,
      rss_bytes: process.memoryUsage.rss(),
    },
    sources: sources().map((view) => sourceData(view, nowMs)),
  };
}

function electionData({ role, term, master, sinceMs }: Leadership): object {
  return {
    role,
    term: Number(term),
    master: master ?? null,
    since: new Date(sinceMs).toISOString(),
  };
}

/** NaN (not known yet) becomes null, as JSON has it. */
function sourceData({ stats, latency }: SourceView, nowMs: number): object {
  return {
    name: stats.name,
    state: stats.state,
    reason: stats.reason,
    uptime_seconds: Math.floor((nowMs - stats.startedAtMs) / 1000),
    lag_seconds: stats.lagMs(nowMs) / 1000,
    entries_per_second: stats.durableRate.perSecond(nowMs),
    entries_read: stats.entriesRead,
    entries_filtered: stats.entriesFiltered,
    entries_durable: stats.entriesDurable,
    latency_p50_ms: latency.quantileMs(0.5),
    latency_p99_ms: latency.quantileMs(0.99),
    oplog_window_left_seconds: stats.oplogWindowLeftSeconds,
    oplog_window_left_ratio: stats.oplogWindowLeftRatio,
    last_durable: positionText(stats.lastDurable),
    last_checkpoint: positionText(stats.lastCheckpoint),
    checkpoint_age_seconds: stats.checkpointAgeMs(nowMs) / 1000,
    checkpoint_failures: stats.checkpointFailures,
    send_retries: stats.sendRetries,
    source_reconnects: stats.sourceReconnects,
    tunnel_trouble: stats.tunnelTrouble,
    lanes: stats.lanes.map((lane) => ({
      lane: lane.index,
      entries: lane.entries,
      entries_in_flight: lane.entriesInFlight,
      batches_in_flight: lane.batchesInFlight,
      last_durable: positionText(lane.lastDurable),
    })),
  };
}

function positionText(position: Position): string {
  return position === 0n ? '' : formatPosition(position);
}
