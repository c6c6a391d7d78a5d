import type { Logger } from '../../../shared/logger.ts';
import type { KafkaCluster } from '../client/kafka-cluster.ts';
import type { KafkaTunnelStats } from './kafka-tunnel-stats.ts';
import type { PartitionWriter } from './partition-writer.ts';

/** What a sender works with. */
export interface ProduceSenderOptions {
  readonly cluster: KafkaCluster;
  readonly topic: string;
  readonly partitions: readonly PartitionWriter[];
  readonly stats: KafkaTunnelStats;
  readonly logger: Logger;
  /** How long a broker may wait for its replicas before it answers with an error. */
  readonly brokerTimeoutMs: number;
  readonly fail: (error: unknown) => void;
  /** False: another collector may have taken over, nothing is sent any more (I5). */
  readonly mayWrite?: (() => boolean) | undefined;
  /** Aborts when {@link mayWrite} becomes false: what is still in our sockets is taken back. */
  readonly lost?: AbortSignal | undefined;
  /** Batches belong to transactions of this id: what cannot be sent again as it was ends the transaction. */
  readonly transactional?: {
    readonly id: string;
    /** The broker says that we are not the owner of the id any more. */
    readonly fenced: (trouble: string) => void;
  };
}
