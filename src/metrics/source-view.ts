import type { LatencyHistogram } from './latency-histogram.ts';
import type { ReplicationStats } from './replication-stats.ts';

/** How full the stages before the lanes are, in MongoShake's terms; counted in batches. */
export interface QueueFigures {
  /** Batches that the reader has fetched ahead, and how many it may. */
  readonly fetchedUsed: number;
  readonly fetchedSize: number;
}

/** What pages and metrics show of one source; the collector makes it once and the figures change inside. */
export interface SourceView {
  readonly stats: ReplicationStats;
  /** From the commit at the source (the entry's wall clock) to the far side's acknowledgement. */
  readonly latency: LatencyHistogram;
  queue(): QueueFigures;
}
