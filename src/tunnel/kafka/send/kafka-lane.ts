import type { LaneReceipts } from './lane-receipts.ts';
import type { PartitionWriter } from './partition-writer.ts';

/** What a lane needs of its tunnel. */
export interface KafkaLaneHost {
  /** All partitions of the topic, by index; known once the tunnel is open. */
  readonly partitions: readonly PartitionWriter[];
  /** The partition of a lane's records without a key. */
  partitionOfLane(lane: number): PartitionWriter;
  /** A record above this may not fit into a batch. */
  readonly recordBytesMax: number;
  /** Each record says in headers where it comes from. */
  readonly withHeaders: boolean;
  /** Whether lanes must wait before they take more. */
  readonly mustWait: boolean;
  waitForRoom(): Promise<void>;
  /** Notes that more (or, negative, less) memory is held. */
  hold(bytes: number): void;
}

/** What the tunnel needs of a lane besides LaneWriter. */
export interface KafkaLane {
  /** Bytes appended and not acknowledged; the tunnel takes off what has become durable. */
  pendingBytes: number;
  readonly receipts: LaneReceipts;
  /** Gives the partitions what the lane itself holds back. */
  sendAll(): void;
}
