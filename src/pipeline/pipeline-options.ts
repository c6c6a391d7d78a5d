import type { AckWindow } from '../checkpoint/ack-window.ts';
import type { LatencyHistogram } from '../metrics/latency-histogram.ts';
import type { ReplicationStats } from '../metrics/replication-stats.ts';
import type { NamespaceFilter } from '../namespace/namespace-filter.ts';
import type { NamespaceTable } from '../namespace/namespace-table.ts';
import type { GidFilter } from '../oplog/gid-filter.ts';
import type { LaneRouter } from '../oplog/lane-router.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import type { TunnelFrontiers } from '../tunnel/tunnel.ts';
import type { Governor } from './governor.ts';
import type { Lane } from './lane.ts';
import type { OpenTransactions } from './open-transactions.ts';

/** What the pipeline of one source works with. */
export interface PipelineOptions {
  readonly stats: ReplicationStats;
  readonly lanes: readonly Lane[];
  readonly namespaces: NamespaceTable;
  readonly filter: NamespaceFilter;
  readonly gids: GidFilter;
  readonly router: LaneRouter;
  readonly transactions: OpenTransactions;
  readonly acks: AckWindow;
  readonly budget: MemoryBudget;
  readonly latency: LatencyHistogram;
  readonly governor: Governor;
  /** `filter.ddl_enable` */
  readonly carriesDdl: boolean;
  /** `filter.oplog.gids`: send entries without their field `g`. */
  readonly stripsGid: boolean;
  /** Of a tunnel that delivers exactly once: gets a mark at the end of each batch, and what it holds is passed over. */
  readonly frontiers?: TunnelFrontiers | undefined;
}
