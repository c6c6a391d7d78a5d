import { createEntryEncoder } from '../../../message/create-entry-encoder.ts';
import type { LaneWriter } from '../../tunnel.ts';
import type { RecordForm } from './block-encoder.ts';
import { DocumentKeyWriter } from './document-key-writer.ts';
import { EntryLane } from './entry-lane.ts';
import type { KafkaLane, KafkaLaneHost } from './kafka-lane.ts';
import type { KafkaTunnelOptions } from './kafka-tunnel-options.ts';
import type { LaneReceipts } from './lane-receipts.ts';
import { RawLane } from './raw-lane.ts';

/** The lane for the tunnel's form of message. */
export function newLane(
  options: KafkaTunnelOptions,
  lane: { index: number; host: KafkaLaneHost; receipts: LaneReceipts },
): LaneWriter & KafkaLane {
  if (options.message === 'raw') return new RawLane({ ...lane, compressor: options.compressor });
  const form = recordFormOf(options);
  const keys = form.keyed ? new DocumentKeyWriter() : undefined;
  return new EntryLane({ ...lane, encoder: createEntryEncoder(form), keys });
}

/** What the records of bson and json look like. */
export function recordFormOf({ message, jsonFormat, partitioner, headers }: KafkaTunnelOptions): RecordForm {
  return {
    message: message === 'json' ? 'json' : 'bson',
    jsonFormat,
    keyed: partitioner === 'key',
    withHeaders: headers,
  };
}
