import { askBroker } from './broker-api.ts';
import type { BrokerConnection } from './broker-connection.ts';
import { client } from './client.ts';

const api = {
  name: 'ListOffsets',
  versions: [client.listOffsetsV7, client.listOffsetsV6, client.listOffsetsV5],
} as const;

const TIMESTAMPS = { newest: -1n, oldest: -2n } as const;
const CONSUMER = -1;
const READ_UNCOMMITTED = 0;
const NO_EPOCH = -1;

/** The offset of the oldest record of a partition, or the offset after its newest. */
export async function edgeOffset(
  connection: BrokerConnection,
  { topic, partition, which }: { topic: string; partition: number; which: 'oldest' | 'newest' },
): Promise<{ errorCode: number; offset: number }> {
  const partitions = [
    { partitionIndex: partition, currentLeaderEpoch: NO_EPOCH, timestamp: TIMESTAMPS[which] },
  ];
  const answer = await askBroker(connection, api, CONSUMER, READ_UNCOMMITTED, [{ name: topic, partitions }]);
  const { errorCode, offset } = answer.topics[0].partitions[0];
  return { errorCode, offset: Number(offset) };
}
