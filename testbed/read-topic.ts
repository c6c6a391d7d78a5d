import { Connection, Consumer, fetchV15, type RecordsBatch } from '@platformatic/kafka';
import { AbortedTransactions } from '../src/tunnel/kafka/receive/aborted-transactions.ts';
import { TestbedError } from './testbed-error.ts';

/** One record of a topic, as the broker holds it. */
export interface TopicRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly headers: ReadonlyMap<string, Buffer>;
}

export interface ReadTopicOptions {
  readonly brokers: string;
  readonly topic: string;
  /** Where to begin, by partition; default at the first offset that exists. */
  readonly from?: ReadonlyMap<number, bigint>;
  /** Default read_committed, as an exactly-once consumer reads. */
  readonly isolation?: 'read_committed' | 'read_uncommitted';
}

export interface VisitTopicOptions extends ReadTopicOptions {
  /** Called with each record, in the order of its partition; nothing is kept of it. */
  readonly visit: (record: TopicRecord) => void;
}

const readCommitted = 1;
const readUncommitted = 0;
const latest = -1n;
const earliest = -2n;
/** Small answers: the client joins the pieces of an answer anew with each piece, so large ones cost four times as much. */
const fetchBytes = 2 * 1024 * 1024;
const maxWaitMs = 200;

/** All records of a topic up to its end at the time of the call, partition by partition. Uses no consumer group. */
export async function readTopic(options: ReadTopicOptions): Promise<TopicRecord[]> {
  const records: TopicRecord[] = [];
  await visitTopic({ ...options, visit: (record) => records.push(record) });
  return records;
}

/** As readTopic, for topics that do not fit into memory; returns the offset after the last one, by partition. */
export async function visitTopic(options: VisitTopicOptions): Promise<Map<number, bigint>> {
  const consumer = new Consumer({
    clientId: 'oplogue-reader',
    groupId: 'unused',
    bootstrapBrokers: options.brokers.split(','),
    retries: 5,
    retryDelay: 100,
  });
  const connections = new Map<number, Connection>();
  try {
    const { topic } = options;
    const isolationLevel = options.isolation === 'read_uncommitted' ? readUncommitted : readCommitted;
    const metadata = await consumer.metadata({ topics: [topic], forceUpdate: true });
    const found = metadata.topics.get(topic);
    if (found === undefined) throw new TestbedError(`There is no topic ${topic} on ${options.brokers}`);
    const starts = (await consumer.listOffsets({ topics: [topic], timestamp: earliest })).get(topic) ?? [];
    const ends =
      (await consumer.listOffsets({ topics: [topic], timestamp: latest, isolationLevel })).get(topic) ?? [];
    const positions = new Map<number, bigint>();
    for (let partition = 0; partition < found.partitions.length; partition++) {
      const leader = found.partitions[partition]?.leader ?? -1;
      const from = options.from?.get(partition) ?? starts[partition] ?? 0n;
      const connection = connections.get(leader) ?? (await connectTo(metadata.brokers.get(leader)));
      connections.set(leader, connection);
      const reader = { connection, topicId: found.id, partition, isolationLevel, visit: options.visit };
      positions.set(partition, await readPartition(reader, from, ends[partition] ?? 0n));
    }
    return positions;
  } finally {
    await Promise.all([...connections.values()].map((connection) => connection.close()));
    await consumer.close();
  }
}

type FetchResponsePartition = ReturnType<
  typeof fetchV15.parseResponse
>['responses'][number]['partitions'][number];

interface PartitionReader {
  readonly connection: Connection;
  readonly topicId: string;
  readonly partition: number;
  readonly isolationLevel: number;
  readonly visit: (record: TopicRecord) => void;
}

/** Reads [from, end) and returns the offset after the last record or marker seen, at least `end`. */
async function readPartition(reader: PartitionReader, from: bigint, end: bigint): Promise<bigint> {
  let next = from;
  while (next < end) {
    const answer = await fetchPartition(reader, next);
    const aborted = new AbortedTransactions(answer.abortedTransactions);
    const before = next;
    for (const batch of answer.records ?? []) {
      // What came after the end was asked for is left for the next call, and not counted as read.
      if (batch.firstOffset >= end) break;
      if (!aborted.hides(batch, () => batch.records[0]?.key)) {
        visitRecords(batch, { partition: reader.partition, from: next, visit: reader.visit });
      }
      const afterBatch = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      if (afterBatch > next) next = afterBatch;
    }
    if (next === before && answer.lastStableOffset < end && answer.highWatermark < end) {
      throw new TestbedError(`Partition ${reader.partition} ends at ${next}, before ${end}`);
    }
  }
  return next;
}

async function connectTo(broker: { host: string; port: number } | undefined): Promise<Connection> {
  if (broker === undefined) throw new TestbedError('A partition has no leader');
  const connection = new Connection('oplogue-reader');
  // A fetch on the way is rejected when the connection closes; without a listener the event itself would end the process.
  connection.on('error', () => undefined);
  await connection.connect(broker.host, broker.port);
  return connection;
}

/**
 * One fetch, past the client's consumer: that one breaks, in a callback that nobody can catch, at the end of an aborted
 * transaction of which this answer holds no record (1.35, `filterUncommittedMessages`).
 */
async function fetchPartition(reader: PartitionReader, offset: bigint): Promise<FetchResponsePartition> {
  const { connection, topicId, partition, isolationLevel } = reader;
  const wanted = {
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: offset,
    lastFetchedEpoch: -1,
    partitionMaxBytes: fetchBytes,
  };
  const topics = [{ topicId, partitions: [wanted] }];
  const response = await fetchV15.api.async(
    connection,
    maxWaitMs,
    1,
    fetchBytes,
    isolationLevel,
    0,
    -1,
    topics,
    [],
    '',
  );
  const answer = response.responses[0]?.partitions[0];
  if (answer === undefined) throw new TestbedError(`No answer for partition ${partition}`);
  return answer;
}

/** Visits the records of a batch, from an offset on. */
export function visitRecords(
  batch: RecordsBatch,
  { partition, from, visit }: { partition: number; from: bigint; visit: (record: TopicRecord) => void },
): void {
  for (const record of batch.records) {
    const offset = batch.firstOffset + BigInt(record.offsetDelta);
    if (offset < from) continue;
    const headers = new Map<string, Buffer>();
    for (const [name, value] of record.headers) headers.set(String(name), value ?? Buffer.alloc(0));
    visit({
      partition,
      offset,
      key: record.key,
      value: record.value,
      timestampMs: Number(batch.firstTimestamp + record.timestampDelta),
      headers,
    });
  }
}
