import type { BrokerAddress } from './broker-address.ts';
import { NotReadyError, type KafkaCluster, type TopicMetadata } from './kafka-cluster.ts';
import { describeCode, fateOf, KafkaCode } from './kafka-error.ts';
import { readRefused } from './read-refused.ts';

/** What has been learned is good for so long: many readers that lose one broker ask once. */
const FRESH_MS = 500;

/** Who leads the partitions of a topic, asked anew each time somebody needs to know. */
export class TopicLeaders {
  readonly #cluster: KafkaCluster;
  readonly #topic: string;
  readonly #signal: AbortSignal;
  #asked: Promise<TopicMetadata> | undefined;
  #askedAtMs = 0;

  /** @param options.signal ends all questions */
  constructor(options: { cluster: KafkaCluster; topic: string; signal: AbortSignal }) {
    this.#cluster = options.cluster;
    this.#topic = options.topic;
    this.#signal = options.signal;
  }

  /**
   * How many partitions the topic has.
   * @throws NotReadyError when it does not exist, or no broker can be reached; KafkaTunnelError without the right to see it
   */
  async count(): Promise<number> {
    const { leaders } = await this.#metadata();
    return leaders.length;
  }

  /** The broker that leads a partition. @throws as `count` */
  async addressOf(partition: number): Promise<BrokerAddress> {
    const { leaders } = await this.#metadata();
    const address = this.#cluster.addressOf(leaders[partition] ?? -1);
    if (address !== undefined) return address;
    throw new NotReadyError(`Topic ${this.#topic}: partition ${partition} has no leader now`, {
      hasAnswered: true,
    });
  }

  async #metadata(): Promise<TopicMetadata> {
    const now = performance.now();
    if (this.#asked === undefined || now - this.#askedAtMs > FRESH_MS) {
      this.#asked = this.#cluster.topic(this.#topic, this.#signal);
      this.#askedAtMs = now;
    }
    const topic = await this.#asked;
    const { errorCode } = topic;
    if (errorCode === KafkaCode.none) return topic;
    const where = `Topic ${this.#topic}`;
    if (errorCode === KafkaCode.unknownTopicOrPartition) {
      throw new NotReadyError(`${where} does not exist yet`, { hasAnswered: true });
    }
    if (fateOf(errorCode) === 'fatal') throw readRefused(errorCode, where);
    throw new NotReadyError(`${where}: ${describeCode(errorCode)}`, { hasAnswered: true });
  }
}
