import {
  createTopicsV7,
  describeConfigsV4,
  initProducerIdV3,
  initProducerIdV4,
  initProducerIdV5,
  metadataV10,
  metadataV11,
  metadataV12,
  ResponseError,
} from '@platformatic/kafka';
import type { Logger } from '../../shared/logger.ts';
import { formatBrokerAddress, type BrokerAddress } from './broker-address.ts';
import {
  bodyOf,
  BrokerConnection,
  type BrokerConnectionOptions,
  type BrokerRequest,
} from './broker-connection.ts';
import { explainConnectError } from './connect-error.ts';
import { describeCode, fateOf, fatalError, KafkaCode, KafkaTunnelError } from './kafka-error.ts';
import type { ProducerIdentity } from './partition-writer.ts';

/** A topic as a broker describes it. */
export interface TopicMetadata {
  /** KafkaCode.none, unknownTopicOrPartition, ... */
  readonly errorCode: number;
  /** Changes when a topic is deleted and made again. */
  readonly id: string;
  /** Leading node of each partition; -1: none now. */
  readonly leaders: readonly number[];
  readonly controller: number;
}

/** What a topic's settings allow. */
export interface TopicSettings {
  /** `max.message.bytes` */
  readonly maxMessageBytes: number;
  /** `cleanup.policy` is compact and not delete: records need keys. */
  readonly compactedOnly: boolean;
}

/** Kafka is not ready to serve us; passes. */
export class NotReadyError extends Error {
  /** A broker has answered: it needs a moment, as it does after a topic was made. */
  readonly hasAnswered: boolean;

  constructor(message: string, options: { hasAnswered: boolean }) {
    super(message);
    this.hasAnswered = options.hasAnswered;
  }
}

const TOPIC_RESOURCE = 2;
const CREATE_TOPIC_TIMEOUT_MS = 30_000;
const BROKER_DEFAULT = -1;

/**
 * The questions that a producer asks a cluster beside sending. Each goes over a connection of its own to whichever known
 * broker answers first, so that it is never stuck behind batches.
 */
export class KafkaCluster {
  readonly #bootstrap: readonly BrokerAddress[];
  readonly #connection: BrokerConnectionOptions;
  readonly #logger: Logger;
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();

  constructor(options: {
    brokers: readonly BrokerAddress[];
    connection: BrokerConnectionOptions;
    logger: Logger;
  }) {
    this.#bootstrap = options.brokers;
    this.#connection = options.connection;
    this.#logger = options.logger;
  }

  /** Address of a node that the last metadata named. */
  addressOf(node: number): BrokerAddress | undefined {
    return this.#brokers.get(node);
  }

  /** A connection for batches. @throws what explainConnectError explains */
  connect(address: BrokerAddress, signal: AbortSignal): Promise<BrokerConnection> {
    return BrokerConnection.open(address, this.#connection, signal);
  }

  /** The topic as it is now; also learns all brokers' addresses. */
  async topic(name: string, signal: AbortSignal): Promise<TopicMetadata> {
    const answer = await this.#ask(signal, (connection) => metadata(connection, name));
    this.#brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const topic = answer.topics[0];
    const leaders: number[] = [];
    for (const partition of topic.partitions) leaders[partition.partitionIndex] = partition.leaderId;
    return { errorCode: topic.errorCode, id: topic.topicId, leaders, controller: answer.controllerId };
  }

  /**
   * Creates a topic; one that has been created by someone else meanwhile is as good.
   * @throws KafkaTunnelError when the cluster refuses
   */
  async createTopic(
    topic: { name: string; partitions: number; replicationFactor: number | undefined; controller: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { name, partitions, replicationFactor = BROKER_DEFAULT } = topic;
    const request = { name, numPartitions: partitions, replicationFactor, assignments: [], configs: [] };
    const { api, createRequest, parseResponse } = createTopicsV7;
    const answer = await this.#ask(
      signal,
      (connection) =>
        askOrRefusal(connection, {
          key: api.key,
          version: api.version,
          body: bodyOf(createRequest([request], CREATE_TOPIC_TIMEOUT_MS, false)),
          parse: (reader, key, version) => parseResponse(0, key, version, reader),
        }),
      topic.controller,
    );
    const { errorCode, errorMessage } = answer.topics[0];
    if (errorCode === KafkaCode.none || errorCode === KafkaCode.topicAlreadyExists) return;
    const text = describeCode(errorCode, errorMessage);
    if (fateOf(errorCode) !== 'fatal')
      throw new NotReadyError(`Topic ${name} cannot be created: ${text}`, { hasAnswered: true });
    throw new KafkaTunnelError({
      code: 'KAFKA_TOPIC_NOT_CREATED',
      message: `Topic ${name} cannot be created: ${text}`,
      hint: 'create the topic yourself, or give the user the right to Create',
    });
  }

  /** The topic's settings, or undefined when we have no right to see them. */
  async topicSettings(name: string, signal: AbortSignal): Promise<TopicSettings | undefined> {
    const { api, createRequest, parseResponse } = describeConfigsV4;
    const resource = {
      resourceType: TOPIC_RESOURCE,
      resourceName: name,
      configurationKeys: ['max.message.bytes', 'cleanup.policy'],
    } as const;
    const answer = await this.#ask(signal, (connection) =>
      askOrRefusal(connection, {
        key: api.key,
        version: api.version,
        body: bodyOf(
          createRequest([{ ...resource, configurationKeys: [...resource.configurationKeys] }], false, false),
        ),
        parse: (reader, key, version) => parseResponse(0, key, version, reader),
      }),
    );
    const result = answer.results[0];
    if (result === undefined || result.errorCode !== KafkaCode.none) return undefined;
    const values = new Map(result.configs.map((config) => [config.name, config.value]));
    const policy = values.get('cleanup.policy') ?? '';
    return {
      maxMessageBytes: Number(values.get('max.message.bytes')),
      compactedOnly: policy.includes('compact') && !policy.includes('delete'),
    };
  }

  /** A new producer id. @throws KafkaTunnelError without the right to it */
  async newProducer(signal: AbortSignal): Promise<ProducerIdentity> {
    const answer = await this.#ask(signal, (connection) => {
      const { api, createRequest, parseResponse } = pick(
        connection,
        [initProducerIdV5, initProducerIdV4, initProducerIdV3],
        'InitProducerId',
      );
      return askOrRefusal(connection, {
        key: api.key,
        version: api.version,
        body: bodyOf(createRequest(null, 0, -1n, -1)),
        parse: (reader, key, version) => parseResponse(0, key, version, reader),
      });
    });
    if (answer.errorCode !== KafkaCode.none) {
      if (fateOf(answer.errorCode) === 'fatal') throw fatalError(answer.errorCode, 'No producer id');
      throw new NotReadyError(`No producer id: ${describeCode(answer.errorCode)}`, { hasAnswered: true });
    }
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }

  /**
   * Asks the brokers one after the other until one answers.
   * @param first a node to ask before the others
   * @throws NotReadyError naming every address and reason; KafkaTunnelError for what only a person can cure
   */
  async #ask<T>(
    signal: AbortSignal,
    question: (connection: BrokerConnection) => Promise<T>,
    first?: number,
  ): Promise<T> {
    const troubles: string[] = [];
    for (const address of this.#candidates(first)) {
      signal.throwIfAborted();
      try {
        const connection = await this.connect(address, signal);
        try {
          return await question(connection);
        } finally {
          connection.close();
        }
      } catch (error) {
        if (error instanceof KafkaTunnelError) throw error;
        const trouble = explainConnectError(error, formatBrokerAddress(address));
        if (typeof trouble !== 'string') throw trouble;
        this.#logger.debug({ trouble }, 'a Kafka broker does not answer');
        troubles.push(trouble);
      }
    }
    signal.throwIfAborted();
    throw new NotReadyError(troubles.join('; '), { hasAnswered: false });
  }

  #candidates(first: number | undefined): Iterable<BrokerAddress> {
    const byName = new Map<string, BrokerAddress>();
    const preferred = first === undefined ? undefined : this.#brokers.get(first);
    for (const address of [
      ...(preferred === undefined ? [] : [preferred]),
      ...this.#brokers.values(),
      ...this.#bootstrap,
    ]) {
      byName.set(formatBrokerAddress(address), address);
    }
    return byName.values();
  }
}

function metadata(
  connection: BrokerConnection,
  topic: string,
): Promise<ReturnType<typeof metadataV12.parseResponse>> {
  const { api, createRequest, parseResponse } = pick(
    connection,
    [metadataV12, metadataV11, metadataV10],
    'Metadata',
  );
  return askOrRefusal(connection, {
    key: api.key,
    version: api.version,
    body: bodyOf(createRequest([topic], false, false)),
    parse: (reader, key, version) => parseResponse(0, key, version, reader),
  });
}

/** The client throws when an answer holds an error code; the answer itself, which it has read, says more. */
async function askOrRefusal<T>(connection: BrokerConnection, request: BrokerRequest<T>): Promise<T> {
  try {
    return await connection.ask(request);
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    const answer: T = error['response'];
    return answer;
  }
}

/** The first of these versions of an API, best first, that the broker speaks. */
function pick<T extends { api: { key: number; version: number } }>(
  connection: BrokerConnection,
  versions: readonly T[],
  name: string,
): T {
  const found = versions.find(
    ({ api }) => connection.version(api.key, api.version, api.version) !== undefined,
  );
  if (found === undefined) throw tooOld(connection, name);
  return found;
}

/** A broker that does not speak what we need. */
export function tooOld(connection: BrokerConnection, api: string): KafkaTunnelError {
  return new KafkaTunnelError({
    code: 'KAFKA_VERSION',
    message: `Kafka broker ${connection.name} does not speak the version of ${api} that is needed`,
    hint: 'Kafka 2.8 or newer is needed',
  });
}
