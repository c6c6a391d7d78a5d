import type { Reader } from '@platformatic/kafka';
import type { AbortedTransaction } from './aborted-transactions.ts';
import { askBroker } from '../client/broker-api.ts';
import type { BrokerConnection } from '../client/broker-connection.ts';
import { client } from '../client/client.ts';
import { KafkaCode } from '../client/kafka-error.ts';

/** What a fetch wants. */
export interface PartitionFetch {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** About so many bytes; a batch that is longer still comes whole. */
  readonly maxBytes: number;
  /** How long the broker waits while there is nothing. */
  readonly maxWaitMs: number;
}

/** What a broker answers about a partition. */
export interface FetchedPartition {
  readonly errorCode: number;
  readonly abortedTransactions: readonly AbortedTransaction[];
  /** Record batches as they lie; the last may be cut off. */
  readonly records: Buffer;
}

/** Below the version that names topics by their ids; the answer is read here, because the client's own reader unpacks all batches at once, and on Node 20 no zstd. */
const api = {
  name: 'Fetch',
  versions: [
    {
      api: client.fetchV12.api,
      createRequest: client.fetchV12.createRequest,
      parseResponse: (_correlationId: number, _key: number, _version: number, reader: Reader) =>
        readAnswer(reader),
    },
  ],
} as const;

const READ_COMMITTED = 1;
const NO_SESSION = { id: 0, epoch: -1 };
const MIN_BYTES = 1;

/** Asks the leader of a partition for what is committed from an offset on. */
export function fetchPartition(
  connection: BrokerConnection,
  { topic, partition, offset, maxBytes, maxWaitMs }: PartitionFetch,
): Promise<FetchedPartition> {
  const wanted = {
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: BigInt(offset),
    lastFetchedEpoch: -1,
    partitionMaxBytes: maxBytes,
  };
  return askBroker(
    connection,
    api,
    maxWaitMs,
    MIN_BYTES,
    maxBytes,
    READ_COMMITTED,
    NO_SESSION.id,
    NO_SESSION.epoch,
    [{ topicId: topic, partitions: [wanted] }],
    [],
    '',
  );
}

/** Reads the answer about the one partition that was asked for (Fetch Response, version 12). */
function readAnswer(reader: Reader): FetchedPartition {
  reader.readInt32();
  const errorCode = reader.readInt16();
  reader.readInt32();
  const topics = reader.readArray((topic) => {
    topic.readString();
    return topic.readArray(readPartition);
  });
  if (errorCode !== KafkaCode.none) return { ...NOTHING, errorCode };
  return topics[0]?.[0] ?? { ...NOTHING, errorCode: KafkaCode.unknownTopicOrPartition };
}

function readPartition(reader: Reader): FetchedPartition {
  reader.readInt32();
  const errorCode = reader.readInt16();
  // High watermark, last stable offset, first offset.
  reader.skip(3 * 8);
  const abortedTransactions = reader.readArray((aborted) => ({
    producerId: aborted.readInt64(),
    firstOffset: aborted.readInt64(),
  }));
  reader.readInt32();
  return { errorCode, abortedTransactions, records: reader.readBytes() };
}

const NOTHING: Omit<FetchedPartition, 'errorCode'> = { abortedTransactions: [], records: Buffer.alloc(0) };
