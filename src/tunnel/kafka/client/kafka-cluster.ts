import { describeError } from '../../../shared/errors.ts';
import type { Logger } from '../../../shared/logger.ts';
import { formatBrokerAddress, type BrokerAddress } from './broker-address.ts';
import { askBroker } from './broker-api.ts';
import { BrokerConnection, SilentBrokerError, type BrokerConnectionOptions } from './broker-connection.ts';
import { client } from './client.ts';
import { explainConnectError } from './connect-error.ts';
import { describeCode, fateOf, fatalError, KafkaCode, KafkaTunnelError } from './kafka-error.ts';
import type { ProducerIdentity } from './producer-identity.ts';
import { readRefused } from './read-refused.ts';
import { SpareConnections, type WantedConnection } from './spare-connections.ts';

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
  /** `cleanup.policy` as it stands. */
  readonly cleanupPolicy: string;
}

/** A topic that is to be made. */
export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  /** undefined: the broker's default. */
  readonly replicationFactor: number | undefined;
  /** Node that is asked first. */
  readonly controller: number;
  /** Settings other than the broker's. */
  readonly settings?: Readonly<Record<string, string>>;
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

const TOPIC_RESOURCE = client.ConfigResourceTypes.TOPIC;
const GROUP_KEY = 0;
const TRANSACTION_KEY = 1;
const CREATE_TOPIC_TIMEOUT_MS = 30_000;
const BROKER_DEFAULT = -1;
/** A broker answers these questions from memory; the next one is asked when it does not. */
const ANSWER_MAX_MS = 5000;
/** How long a connection is kept for the next question. */
const KEEP_MS = 3000;
/** Of the time that a broker has for opening a connection and for answering. */
const SLOWNESS_DOUBLINGS_MAX = 2;

/** The APIs that are asked here, with their versions of the same form. */
const apis = {
  metadata: { name: 'Metadata', versions: [client.metadataV12, client.metadataV11, client.metadataV10] },
  createTopics: { name: 'CreateTopics', versions: [client.createTopicsV7] },
  describeConfigs: { name: 'DescribeConfigs', versions: [client.describeConfigsV4] },
  initProducerId: {
    name: 'InitProducerId',
    versions: [client.initProducerIdV5, client.initProducerIdV4, client.initProducerIdV3],
  },
  findCoordinator: {
    name: 'FindCoordinator',
    versions: [client.findCoordinatorV6, client.findCoordinatorV5, client.findCoordinatorV4],
  },
} as const;

/**
 * The questions that a producer or a reader asks a cluster beside its data. They go to whichever known broker answers first, over a
 * connection of their own, so that they are never stuck behind batches.
 */
export class KafkaCluster {
  readonly #bootstrap: readonly BrokerAddress[];
  readonly #connection: BrokerConnectionOptions;
  readonly #logger: Logger;
  #brokers: ReadonlyMap<number, BrokerAddress> = new Map();
  /** Brokers that failed when they were asked last, and how often in a row they were silent: they are asked after the others. */
  readonly #silences = new Map<string, number>();
  /** A connection to whom the next question goes: questions come in groups, and a broker under load takes its time to accept another. */
  #kept: BrokerConnection | undefined;
  #keptUntil: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #spares = new SpareConnections();

  constructor(options: {
    brokers: readonly BrokerAddress[];
    connection: BrokerConnectionOptions;
    logger: Logger;
  }) {
    this.#bootstrap = options.brokers;
    this.#connection = options.connection;
    this.#logger = options.logger;
  }

  /** Ends the connection that is kept between questions. Further questions are answered, each over a connection of its own. */
  close(): void {
    this.#isClosed = true;
    this.#takeKept()?.close();
    this.#spares.close();
  }

  /**
   * Keeps connections open that {@link connect} will be asked for.
   * @throws what explainConnectError explains
   */
  async keepSpares(wanted: readonly WantedConnection[], signal: AbortSignal): Promise<void> {
    await this.#spares.keep(wanted, {
      open: ({ address, answerMaxMs }) => this.#open(address, signal, answerMaxMs),
      ping: (connection) => askBroker(connection, apis.metadata, [], false, false),
    });
  }

  /** Ends the spare connections that have not been taken. */
  closeSpares(): void {
    this.#spares.close();
  }

  /** Address of a node that the last metadata named. */
  addressOf(node: number): BrokerAddress | undefined {
    return this.#brokers.get(node);
  }

  /** Whether a request that is given up can be kept from being carried out later, see {@link BrokerConnection.close}. */
  get canTakeBack(): boolean {
    return this.#connection.tls === undefined;
  }

  /**
   * A connection for batches, or for questions to this one broker.
   * @param answerMaxMs a request without an answer for so long ends the connection, at most the time that all connections have
   * @throws what explainConnectError explains
   */
  async connect(
    address: BrokerAddress,
    signal: AbortSignal,
    answerMaxMs = Infinity,
  ): Promise<BrokerConnection> {
    return this.#spares.take({ address, answerMaxMs }) ?? (await this.#open(address, signal, answerMaxMs));
  }

  async #open(address: BrokerAddress, signal: AbortSignal, answerMaxMs: number): Promise<BrokerConnection> {
    const name = formatBrokerAddress(address);
    const { connectTimeoutMs, requestTimeoutMs } = this.#connection;
    // One that is merely slow must not be given up for ever.
    const slowness = 2 ** Math.min(this.#silences.get(name) ?? 0, SLOWNESS_DOUBLINGS_MAX);
    const limits = {
      connectTimeoutMs: Math.min(connectTimeoutMs * slowness, requestTimeoutMs),
      requestTimeoutMs: Math.min(answerMaxMs * slowness, requestTimeoutMs),
    };
    try {
      const connection = await BrokerConnection.open(address, { ...this.#connection, ...limits }, signal);
      this.#silences.delete(name);
      return connection;
    } catch (error) {
      this.#noteFailure(name, error);
      throw error;
    }
  }

  /** The topic as it is now; also learns all brokers' addresses. */
  async topic(name: string, signal: AbortSignal): Promise<TopicMetadata> {
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.metadata, [name], false, false),
    );
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
  async createTopic(topic: NewTopic, signal: AbortSignal): Promise<void> {
    const { name, partitions, replicationFactor = BROKER_DEFAULT, settings = {} } = topic;
    const configs = Object.entries(settings).map(([setting, value]) => ({ name: setting, value }));
    const request = { name, numPartitions: partitions, replicationFactor, assignments: [], configs };
    const answer = await this.#ask(
      signal,
      (connection) => askBroker(connection, apis.createTopics, [request], CREATE_TOPIC_TIMEOUT_MS, false),
      { first: topic.controller, answerMaxMs: CREATE_TOPIC_TIMEOUT_MS },
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
    const resource = {
      resourceType: TOPIC_RESOURCE,
      resourceName: name,
      configurationKeys: ['max.message.bytes', 'cleanup.policy'],
    };
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.describeConfigs, [resource], false, false),
    );
    const result = answer.results[0];
    if (result === undefined || result.errorCode !== KafkaCode.none) return undefined;
    const values = new Map(result.configs.map((config) => [config.name, config.value]));
    const policy = values.get('cleanup.policy') ?? '';
    return {
      maxMessageBytes: Number(values.get('max.message.bytes')),
      cleanupPolicy: policy,
      compactedOnly: policy.includes('compact') && !policy.includes('delete'),
    };
  }

  /** A new producer id. @throws KafkaTunnelError without the right to it */
  async newProducer(signal: AbortSignal): Promise<ProducerIdentity> {
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.initProducerId, null, 0, -1n, -1),
    );
    if (answer.errorCode !== KafkaCode.none) {
      if (fateOf(answer.errorCode) === 'fatal') throw fatalError(answer.errorCode, 'No producer id');
      throw new NotReadyError(`No producer id: ${describeCode(answer.errorCode)}`, { hasAnswered: true });
    }
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }

  /**
   * The broker that looks after the transactions of an id.
   * @throws NotReadyError while none does
   * @throws KafkaTunnelError without the right to the id
   */
  transactionCoordinator(transactionalId: string, signal: AbortSignal): Promise<BrokerAddress> {
    return this.#coordinator(
      { type: TRANSACTION_KEY, key: transactionalId, what: 'Transactional id' },
      signal,
    );
  }

  /**
   * The broker that looks after a consumer group.
   * @throws NotReadyError while none does
   * @throws KafkaTunnelError without the right to the group
   */
  groupCoordinator(groupId: string, signal: AbortSignal): Promise<BrokerAddress> {
    return this.#coordinator({ type: GROUP_KEY, key: groupId, what: 'Consumer group' }, signal);
  }

  async #coordinator(
    { type, key, what }: { type: number; key: string; what: string },
    signal: AbortSignal,
  ): Promise<BrokerAddress> {
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.findCoordinator, type, [key]),
    );
    const { errorCode, errorMessage, host, port } = answer.coordinators[0];
    if (errorCode === KafkaCode.none) return { host, port };
    const where = `${what} ${key}`;
    if (errorCode === KafkaCode.groupAuthorizationFailed) throw readRefused(errorCode, where);
    if (fateOf(errorCode) === 'fatal') throw fatalError(errorCode, where, errorMessage);
    throw new NotReadyError(`${where}: ${describeCode(errorCode, errorMessage)}`, { hasAnswered: true });
  }

  /**
   * Asks the broker that has answered last, or all of them one after the other until one answers.
   * @param alone a question of its own kind: the node to ask before the others, and how long each may take
   * @throws NotReadyError naming every address and reason; KafkaTunnelError for what only a person can cure
   */
  async #ask<T>(
    signal: AbortSignal,
    question: (connection: BrokerConnection) => Promise<T>,
    alone?: { first: number; answerMaxMs: number },
  ): Promise<T> {
    const kept = alone === undefined ? this.#takeKept() : undefined;
    if (kept !== undefined) {
      try {
        return await this.#askOn(kept, question, { keeps: true });
      } catch (error) {
        if (error instanceof KafkaTunnelError) throw error;
        this.#logger.debug({ trouble: describeError(error) }, 'a Kafka broker does not answer any more');
      }
    }
    const troubles: string[] = [];
    for (const address of this.#candidates(alone?.first)) {
      signal.throwIfAborted();
      try {
        const connection = await this.connect(address, signal, alone?.answerMaxMs ?? ANSWER_MAX_MS);
        return await this.#askOn(connection, question, { keeps: alone === undefined });
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

  /** Asks, and keeps the connection for the next question or closes it. */
  async #askOn<T>(
    connection: BrokerConnection,
    question: (connection: BrokerConnection) => Promise<T>,
    { keeps }: { keeps: boolean },
  ): Promise<T> {
    try {
      const answer = await question(connection);
      if (keeps) this.#keep(connection);
      else connection.close();
      return answer;
    } catch (error) {
      this.#noteFailure(connection.name, error);
      connection.close();
      throw error;
    }
  }

  /** The connection that is kept, for one question at a time. */
  #takeKept(): BrokerConnection | undefined {
    const kept = this.#kept;
    this.#kept = undefined;
    clearTimeout(this.#keptUntil);
    if (kept?.isReady === true) return kept;
    kept?.close();
    return undefined;
  }

  #keep(connection: BrokerConnection): void {
    if (this.#kept !== undefined || this.#isClosed) {
      connection.close();
      return;
    }
    this.#kept = connection;
    this.#keptUntil = setTimeout(() => this.#takeKept()?.close(), KEEP_MS).unref();
  }

  #noteFailure(name: string, error: unknown): void {
    const isSilence = error instanceof SilentBrokerError || error instanceof client.TimeoutError;
    this.#silences.set(name, (this.#silences.get(name) ?? 0) + (isSilence ? 1 : 0));
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
    for (const name of this.#silences.keys()) {
      const address = byName.get(name);
      if (address === undefined || !byName.delete(name)) continue;
      byName.set(name, address);
    }
    return [...byName.values()];
  }
}
