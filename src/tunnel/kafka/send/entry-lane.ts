import type { EntryEncoder } from '../../../message/entry-encoder.ts';
import type { EntryHeader } from '../../../oplog/entry-header.ts';
import type { LaneWriter } from '../../tunnel.ts';
import type { DocumentKeyWriter } from './document-key-writer.ts';
import type { KafkaLane, KafkaLaneHost } from './kafka-lane.ts';
import type { LaneReceipts } from './lane-receipts.ts';
import { partitionOfKey } from '../client/murmur2.ts';

/** A lane that makes one record of each entry. */
export class EntryLane implements LaneWriter, KafkaLane {
  pendingBytes = 0;
  readonly receipts: LaneReceipts;
  readonly #index: number;
  readonly #host: KafkaLaneHost;
  readonly #encoder: EntryEncoder;
  /** For the partitioner `key`; undefined: all records go to the lane's own partition, without a key. */
  readonly #keys: DocumentKeyWriter | undefined;

  constructor(options: {
    index: number;
    host: KafkaLaneHost;
    encoder: EntryEncoder;
    keys: DocumentKeyWriter | undefined;
    receipts: LaneReceipts;
  }) {
    this.receipts = options.receipts;
    this.#index = options.index;
    this.#host = options.host;
    this.#encoder = options.encoder;
    this.#keys = options.keys;
  }

  append(header: EntryHeader): Promise<void> | undefined {
    const host = this.#host;
    const key = this.#keys?.write(header);
    const partition =
      key === undefined
        ? host.partitionOfLane(this.#index)
        : host.partitions[partitionOfKey(key.bytes, key.length, host.partitions.length)];
    this.receipts.touch(partition);
    this.pendingBytes += partition.append(this.#index, header, this.#encoder, key);
    return host.mustWait ? host.waitForRoom() : undefined;
  }

  flush(onDurable: () => void): void {
    this.receipts.flush(onDurable);
  }

  sendAll(): void {}
}
