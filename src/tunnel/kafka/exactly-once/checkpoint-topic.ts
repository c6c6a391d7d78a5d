import type { RecordsBatch } from '@platformatic/kafka';
import type { Logger } from '../../../shared/logger.ts';
import { askBroker } from '../client/broker-api.ts';
import { formatBrokerAddress } from '../client/broker-address.ts';
import type { BrokerConnection } from '../client/broker-connection.ts';
import type { Foreknowledge } from '../client/foreknowledge.ts';
import { client } from '../client/client.ts';
import { explainConnectError } from '../client/connect-error.ts';
import {
  frontierKey,
  readFrontierValue,
  type FrontierOwner,
  type FrontierRecord,
} from './frontier-record.ts';
import { NotReadyError, type KafkaCluster, type TopicMetadata } from '../client/kafka-cluster.ts';
import { describeCode, fatalError, fateOf, KafkaCode, KafkaTunnelError } from '../client/kafka-error.ts';

const apis = {
  listOffsets: {
    name: 'ListOffsets',
    versions: [client.listOffsetsV7, client.listOffsetsV6, client.listOffsetsV5],
  },
  fetch: { name: 'Fetch', versions: [client.fetchV12] },
} as const;

/** Small segments, cleaned early: a start reads what is not compacted yet. */
const SETTINGS = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(16 * 1024 * 1024),
  'segment.ms': String(10 * 60 * 1000),
  'min.cleanable.dirty.ratio': '0.1',
};
const EARLIEST = -2n;
const LATEST = -1n;
/** Where the newest record of a job lies, as a rule: among so many at the end. Else so many times more are read, and so on. */
const TAIL_RECORDS = 200n;
const TAIL_GROWTH = 16n;
const READ_UNCOMMITTED = 0;
const CONSUMER = -1;
const NO_SESSION = { id: 0, epoch: -1 };
const FETCH_BYTES = 1024 * 1024;
const FETCH_WAIT_MS = 500;
/** It may read from disk for us. */
export const CHECKPOINT_ANSWER_MAX_MS = 10_000;
const CONTROL_BIT = 0x20;
const TRANSACTIONAL_BIT = 0x10;
/** Type of a control record, after its version (Kafka protocol guide, "Control Batch"). */
const CONTROL_TYPE_AT = 2;
const ABORT = 0;

/** The compacted topic that keeps how far each job has come. */
export class CheckpointTopic {
  readonly name: string;
  readonly #cluster: KafkaCluster;
  readonly #logger: Logger;

  constructor(options: { name: string; cluster: KafkaCluster; logger: Logger }) {
    this.name = options.name;
    this.#cluster = options.cluster;
    this.#logger = options.logger;
  }

  /**
   * The topic as it is, after it has been made if it was missing.
   * @param known what need not be asked
   * @throws NotReadyError when it may work later
   * @throws KafkaTunnelError when it cannot be made, or does not keep what is written to it
   */
  async prepare(
    creation: { enabled: boolean; replicationFactor: number | undefined },
    known: Foreknowledge,
    signal: AbortSignal,
  ): Promise<TopicMetadata> {
    const topic = known.topics.get(this.name) ?? (await this.#cluster.topic(this.name, signal));
    if (topic.errorCode === KafkaCode.unknownTopicOrPartition) {
      await this.#create(creation, topic.controller, signal);
      throw new NotReadyError(`Topic ${this.name} has been created and is not known to all brokers yet`, {
        hasAnswered: true,
      });
    }
    this.#check(topic);
    const settings = known.settings.get(this.name) ?? (await this.#cluster.topicSettings(this.name, signal));
    if (settings !== undefined && settings.cleanupPolicy !== 'compact') {
      throw new KafkaTunnelError({
        code: 'KAFKA_CHECKPOINT_TOPIC',
        message: `Topic ${this.name} has cleanup.policy=${settings.cleanupPolicy}, so that the position of a job would be deleted some day`,
        hint: `set it (kafka-configs.sh --alter --entity-type topics --entity-name ${this.name} --add-config cleanup.policy=compact), or choose another tunnel.kafka.checkpoint_topic`,
      });
    }
    return topic;
  }

  /**
   * The newest committed record of a job's source, in whichever partition it lies. Call it when no transaction of this source can be open:
   * of other jobs' open transactions nothing is read, and nothing is waited for.
   * @param known the topic as it is, if that is known
   * @throws NotReadyError when it may work later
   */
  async read(
    owner: FrontierOwner,
    signal: AbortSignal,
    known?: TopicMetadata,
  ): Promise<FrontierRecord | undefined> {
    const topic = known ?? (await this.#cluster.topic(this.name, signal));
    this.#check(topic);
    let newest: FrontierRecord | undefined;
    for (const [partition, leader] of topic.leaders.entries()) {
      const found = await this.#readPartition({ partition, leader, owner }, signal);
      if (found !== undefined && (newest === undefined || reachOf(found) >= reachOf(newest))) newest = found;
    }
    return newest;
  }

  #check(topic: TopicMetadata): void {
    if (topic.errorCode === KafkaCode.none && !topic.leaders.includes(-1)) return;
    if (topic.errorCode === KafkaCode.none) {
      throw new NotReadyError(`Topic ${this.name}: a partition has no leader now`, { hasAnswered: true });
    }
    this.#checkCode(topic.errorCode);
  }

  async #create(
    creation: { enabled: boolean; replicationFactor: number | undefined },
    controller: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { name } = this;
    if (!creation.enabled) {
      throw new KafkaTunnelError({
        code: 'KAFKA_NO_TOPIC',
        message: `There is no topic ${name} in this Kafka, in which exactly_once keeps its position`,
        hint: `create it (kafka-topics.sh --create --topic ${name} --partitions 1 --config cleanup.policy=compact), or set tunnel.kafka.topic.create = true`,
      });
    }
    const { replicationFactor } = creation;
    await this.#cluster.createTopic(
      { name, partitions: 1, replicationFactor, controller, settings: SETTINGS },
      signal,
    );
    this.#logger.info({ topic: name }, 'checkpoint topic created');
  }

  async #readPartition(
    where: { partition: number; leader: number; owner: FrontierOwner },
    signal: AbortSignal,
  ): Promise<FrontierRecord | undefined> {
    const address = this.#cluster.addressOf(where.leader);
    if (address === undefined)
      throw new NotReadyError(`Broker ${where.leader} is away`, { hasAnswered: true });
    try {
      const connection = await this.#cluster.connect(address, signal, CHECKPOINT_ANSWER_MAX_MS);
      try {
        return await this.#readFrom(connection, where, signal);
      } finally {
        connection.close();
      }
    } catch (error) {
      if (error instanceof KafkaTunnelError || error instanceof NotReadyError) throw error;
      signal.throwIfAborted();
      const explained = explainConnectError(error, formatBrokerAddress(address));
      if (typeof explained !== 'string') throw explained;
      throw new NotReadyError(explained, { hasAnswered: false });
    }
  }

  async #readFrom(
    connection: BrokerConnection,
    { partition, owner }: { partition: number; owner: FrontierOwner },
    signal: AbortSignal,
  ): Promise<FrontierRecord | undefined> {
    const first = await this.#offsetAt(connection, partition, EARLIEST);
    const end = await this.#offsetAt(connection, partition, LATEST);
    const key = frontierKey(owner);
    // What the end holds is newer than anything before it: minutes of a busy topic need not be read to take over.
    for (let reach = TAIL_RECORDS; ; reach *= TAIL_GROWTH) {
      const from = end - reach > first ? end - reach : first;
      const value = await this.#newestSince(connection, { partition, from, key }, signal);
      if (value !== undefined) return readFrontierValue(value, `${key.toString()} in topic ${this.name}`);
      if (from === first) return undefined;
    }
  }

  /** The newest committed value of the key that lies at `from` or behind it. */
  async #newestSince(
    connection: BrokerConnection,
    { partition, from, key }: { partition: number; from: bigint; key: Buffer },
    signal: AbortSignal,
  ): Promise<Buffer | undefined> {
    const newest = new NewestCommitted(key);
    let offset = from;
    for (let end = offset + 1n; offset < end;) {
      signal.throwIfAborted();
      const answer = await this.#fetch(connection, partition, offset);
      end = answer.highWatermark;
      const before = offset;
      for (const batch of answer.records ?? []) {
        newest.add(batch);
        offset = batch.firstOffset + BigInt(batch.lastOffsetDelta) + 1n;
      }
      if (offset < end && offset === before) {
        throw new NotReadyError(`Topic ${this.name} cannot be read at offset ${offset}`, {
          hasAnswered: true,
        });
      }
    }
    return newest.value;
  }

  async #offsetAt(connection: BrokerConnection, partition: number, timestamp: bigint): Promise<bigint> {
    const partitions = [{ partitionIndex: partition, currentLeaderEpoch: -1, timestamp }];
    const answer = await askBroker(connection, apis.listOffsets, CONSUMER, READ_UNCOMMITTED, [
      { name: this.name, partitions },
    ]);
    const { errorCode, offset } = answer.topics[0].partitions[0];
    this.#checkCode(errorCode);
    return offset;
  }

  async #fetch(
    connection: BrokerConnection,
    partition: number,
    fetchOffset: bigint,
  ): Promise<{ highWatermark: bigint; records?: RecordsBatch[] }> {
    const wanted = { partition, currentLeaderEpoch: -1, fetchOffset, lastFetchedEpoch: -1 };
    const answer = await askBroker(
      connection,
      apis.fetch,
      FETCH_WAIT_MS,
      0,
      FETCH_BYTES,
      READ_UNCOMMITTED,
      NO_SESSION.id,
      NO_SESSION.epoch,
      [{ topicId: this.name, partitions: [{ ...wanted, partitionMaxBytes: FETCH_BYTES }] }],
      [],
      '',
    );
    this.#checkCode(answer.errorCode);
    const found = answer.responses[0]?.partitions[0];
    this.#checkCode(found?.errorCode ?? KafkaCode.unknownTopicOrPartition);
    return found;
  }

  #checkCode(code: number): void {
    if (code === KafkaCode.none) return;
    const where = `Topic ${this.name}, in which exactly_once keeps its position`;
    if (code === KafkaCode.topicAuthorizationFailed) {
      throw new KafkaTunnelError({
        code: 'KAFKA_NOT_AUTHORIZED',
        message: `${where}: ${describeCode(code)}`,
        hint: `give the user the rights Read, Write and Describe on it (kafka-acls.sh --add --operation Read --operation Write --operation Describe --topic ${this.name}), or set tunnel.kafka.delivery = at_least_once`,
      });
    }
    if (fateOf(code) === 'fatal') throw fatalError(code, where);
    throw new NotReadyError(`Topic ${this.name}: ${describeCode(code)}`, { hasAnswered: true });
  }
}

function reachOf({ frontier }: FrontierRecord): bigint {
  return frontier?.deliveredThrough ?? 0n;
}

/**
 * Finds the newest committed value of one key in a partition that is read uncommitted, batch after batch, so that an open transaction of
 * another job does not hide what lies behind it. A value without a later marker of its producer is committed: no transaction that writes this
 * key is open, and when a partition is compacted aborted data go before their marker.
 */
class NewestCommitted {
  readonly #key: Buffer;
  #committed: Buffer | undefined;
  #pending: { value: Buffer; producerId: bigint } | undefined;

  constructor(key: Buffer) {
    this.#key = key;
  }

  get value(): Buffer | undefined {
    return this.#pending?.value ?? this.#committed;
  }

  add(batch: RecordsBatch): void {
    const { attributes, producerId, records } = batch;
    if ((attributes & CONTROL_BIT) !== 0) {
      if (producerId !== this.#pending?.producerId) return;
      if (records[0]?.key?.readInt16BE(CONTROL_TYPE_AT) !== ABORT) this.#committed = this.#pending.value;
      this.#pending = undefined;
      return;
    }
    for (const { key, value } of records) {
      if (key?.equals(this.#key) !== true || value === null) continue;
      if (this.#pending !== undefined) this.#committed = this.#pending.value;
      this.#pending = undefined;
      if ((attributes & TRANSACTIONAL_BIT) === 0) this.#committed = value;
      else this.#pending = { value, producerId };
    }
  }
}
