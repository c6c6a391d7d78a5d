import { describeError } from '../../shared/errors.ts';
import { sleep } from '../../shared/sleep.ts';
import type { BrokerAddress } from './client/broker-address.ts';
import { loadCompressor } from './client/compression.ts';
import { NO_FOREKNOWLEDGE, type Foreknowledge } from './client/foreknowledge.ts';
import type { KafkaCluster, TopicMetadata, TopicSettings } from './client/kafka-cluster.ts';
import { KafkaCode } from './client/kafka-error.ts';
import { partitionOfKey } from './client/murmur2.ts';
import type { WantedConnection } from './client/spare-connections.ts';
import { CHECKPOINT_ANSWER_MAX_MS } from './exactly-once/checkpoint-topic.ts';
import { transactionalIdOf } from './exactly-once/exactly-once.ts';
import { frontierKey } from './exactly-once/frontier-record.ts';
import { coordinatorPatienceMs } from './exactly-once/transaction-coordinator.ts';
import { newKafkaCluster } from './new-kafka-cluster.ts';
import type { KafkaTunnelOptions } from './send/kafka-tunnel-options.ts';

/** What a standby needs of the options of the tunnel that it stands by for. */
export type KafkaStandbyOptions = Pick<
  KafkaTunnelOptions,
  'brokers' | 'sasl' | 'tls' | 'clientId' | 'logger' | 'topic' | 'compression' | 'exactlyOnce'
>;

/** Often enough that a leader that moves, or a connection that dies in silence, is not met in a takeover, as a rule. */
const REFRESH_EVERY_MS = 2000;
/** What is older is asked for again. */
const FRESH_MS = 10_000;

/**
 * Keeps at hand what a takeover needs of Kafka, while another collector is the master: the topics, the coordinator, and connections to
 * them. It writes nothing and fences nobody. What it cannot learn the takeover asks for itself.
 */
export class KafkaStandby implements AsyncDisposable {
  readonly #o: KafkaStandbyOptions;
  readonly #cluster: KafkaCluster;
  #known = NO_FOREKNOWLEDGE;
  #learntAtMs = -Infinity;

  /** @throws KafkaTunnelError naming a certificate or key that cannot be read */
  constructor(options: KafkaStandbyOptions) {
    this.#o = options;
    this.#cluster = newKafkaCluster(options);
  }

  /** Runs until the signal aborts. Never fails. */
  async keepReady(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await loadCompressor(this.#o.compression);
        await this.#learn(signal);
      } catch (error) {
        this.#o.logger.debug(`Standing by without a look at Kafka: ${describeError(error)}`);
      }
      await sleep(REFRESH_EVERY_MS, signal);
    }
  }

  /** For the tunnel that takes over now. What is known is given once: after a failure everything is asked anew. */
  take(): { cluster: KafkaCluster; known: Foreknowledge } {
    const isFresh = performance.now() - this.#learntAtMs < FRESH_MS;
    const known = isFresh ? this.#known : NO_FOREKNOWLEDGE;
    this.#learntAtMs = -Infinity;
    return { cluster: this.#cluster, known };
  }

  /** Ends the connections that the takeover has not taken. */
  rest(): void {
    this.#cluster.closeSpares();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#cluster.close();
  }

  async #learn(signal: AbortSignal): Promise<void> {
    const cluster = this.#cluster;
    const { topic, exactlyOnce } = this.#o;
    const topics = new Map<string, TopicMetadata>();
    const settings = new Map<string, TopicSettings | undefined>();
    const coordinators = new Map<string, BrokerAddress>();
    const names = exactlyOnce === undefined ? [topic] : [topic, exactlyOnce.checkpointTopic];
    for (const name of names) {
      const found = await cluster.topic(name, signal);
      if (found.errorCode !== KafkaCode.none) continue;
      topics.set(name, found);
      settings.set(name, await cluster.topicSettings(name, signal));
    }
    if (exactlyOnce !== undefined) {
      const id = transactionalIdOf(exactlyOnce);
      coordinators.set(id, await cluster.transactionCoordinator(id, signal));
    }
    const known = { topics, settings, coordinators };
    await cluster.keepSpares(this.#wanted(known), signal);
    this.#known = known;
    this.#learntAtMs = performance.now();
  }

  /** The connections of a takeover: one to each leader, to the coordinator, and two to where the checkpoint lies. */
  #wanted({ topics, coordinators }: Foreknowledge): WantedConnection[] {
    const { topic, exactlyOnce } = this.#o;
    const wanted: WantedConnection[] = [];
    const want = (node: number | undefined, answerMaxMs = Infinity): void => {
      const address = node === undefined ? undefined : this.#cluster.addressOf(node);
      if (address !== undefined) wanted.push({ address, answerMaxMs });
    };
    for (const leader of new Set(topics.get(topic)?.leaders)) want(leader);
    if (exactlyOnce === undefined) return wanted;
    for (const address of coordinators.values()) {
      wanted.push({ address, answerMaxMs: coordinatorPatienceMs(this.#cluster, 0) });
    }
    const leaders = topics.get(exactlyOnce.checkpointTopic)?.leaders ?? [];
    if (leaders.length === 0) return wanted;
    const key = frontierKey(exactlyOnce);
    const leader = leaders[partitionOfKey(key, key.length, leaders.length)];
    want(leader);
    want(leader, CHECKPOINT_ANSWER_MAX_MS);
    return wanted;
  }
}
