import type { Reader } from '@platformatic/kafka';
import { Backoff } from '../../../shared/backoff.ts';
import { failpoint } from '../../../shared/failpoint.ts';
import { sleep } from '../../../shared/sleep.ts';
import { tooOld } from '../client/broker-api.ts';
import { formatBrokerAddress, type BrokerAddress } from '../client/broker-address.ts';
import type { BrokerConnection } from '../client/broker-connection.ts';
import { BrokerLink } from '../client/broker-link.ts';
import { explainConnectError } from '../client/connect-error.ts';
import { NotReadyError, type TopicMetadata } from '../client/kafka-cluster.ts';
import {
  describeCode,
  fatalError,
  fateOf,
  isLeaderMove,
  KafkaCode,
  KafkaTunnelError,
  topicDeleted,
  transactionalFateOf,
  transactionLost,
  UNKNOWN_TOPIC_PATIENCE_MS,
} from '../client/kafka-error.ts';
import type { PartitionWriter } from './partition-writer.ts';
import type { PendingBatch } from './pending-batch.ts';
import { parseProduceResponse, PRODUCE, produceBody, type ProduceAnswer } from './produce-request.ts';
import type { ProduceSenderOptions } from './produce-sender-options.ts';
import { TroubleLog } from './trouble-log.ts';

/** One batch on its way. */
interface Shipment {
  readonly partition: PartitionWriter;
  readonly batch: PendingBatch;
}

/** A broker handles one request of a connection after the other: more only hide the way there and back. */
const REQUESTS_MAX = 5;
/** Well below the broker's `socket.request.max.bytes` (100 MB). */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024;
const BACKOFF_MIN_MS = 50;
const BACKOFF_MAX_MS = 1000;
const SILENCE_CHECK_EVERY_MS = 500;
const LEADERS_FRESH_MS = 1000;

/**
 * Brings the batches of all partitions to the brokers that lead them: one connection per broker, one request for what
 * several partitions have ready, several requests in flight. What fails for a passing reason is sent again without an
 * end: {@link PartitionWriter} says how order is kept meanwhile.
 */
export class ProduceSender {
  readonly #o: ProduceSenderOptions;
  readonly #links = new Map<number, BrokerLink>();
  readonly #stopped = new AbortController();
  readonly #backoff = new Backoff({ minMs: BACKOFF_MIN_MS, maxMs: BACKOFF_MAX_MS });
  readonly #topicId: string;
  readonly #log: TroubleLog;
  #recovering = false;
  #unknownSinceMs: number | undefined;
  #pumpSoon = false;
  /** When it was learnt who leads; long ago after new trouble. Not asked again for as long as connecting takes. */
  #leadersKnownMs = 0;
  /** Aborted when there is something to go on with. */
  #nap = new AbortController();
  readonly #silenceChecks: NodeJS.Timeout;

  /** @param topic as it was when its partitions were counted */
  constructor(options: ProduceSenderOptions, topic: TopicMetadata) {
    this.#o = options;
    this.#topicId = topic.id;
    this.#log = new TroubleLog(options);
    this.#setLeaders(topic);
    options.lost?.addEventListener('abort', () => this.stop(), { once: true });
    this.#silenceChecks = setInterval(() => {
      for (const link of this.#links.values()) link.silence.check(link.connection);
    }, SILENCE_CHECK_EVERY_MS).unref();
    // Connects, so that the first batch need not wait for it.
    this.#pumpAll();
  }

  /** What is wrong now, for people; undefined when all partitions take messages. */
  get trouble(): string | undefined {
    return this.#o.partitions.find((partition) => partition.trouble !== undefined)?.trouble;
  }

  /** Sends what the partition has ready: now, or once for all partitions after the running code. */
  ready(partition: PartitionWriter, now: boolean): void {
    if (now) {
      this.#pump(partition.leader);
      return;
    }
    if (this.#pumpSoon) return;
    this.#pumpSoon = true;
    queueMicrotask(() => {
      this.#pumpSoon = false;
      this.#pumpAll();
    });
  }

  /** Ends all connections. Nothing is sent afterwards. */
  stop(): void {
    this.#stopped.abort();
    this.#nap.abort();
    clearInterval(this.#silenceChecks);
    for (const link of this.#links.values()) link.connection?.close(new Error('Stopped'));
  }

  #pumpAll(): void {
    for (const node of new Set(this.#o.partitions.map((partition) => partition.leader))) this.#pump(node);
  }

  #pump(node: number): void {
    if (this.#stopped.signal.aborted || this.#o.mayWrite?.() === false) return;
    const link = this.#link(node);
    const connection = link.connection;
    if (connection === undefined || !connection.isOpen) {
      this.#connectSoon(link);
      return;
    }
    if (!connection.isReady) {
      connection.onceReady(() => this.#pump(node));
      return;
    }
    while (link.requests < REQUESTS_MAX) {
      const shipments = this.#load(node);
      if (shipments.length === 0) return;
      this.#send(link, connection, shipments);
    }
  }

  /** At most one batch of each partition that the node leads. */
  #load(node: number): Shipment[] {
    const shipments: Shipment[] = [];
    let bytes = 0;
    for (const partition of this.#o.partitions) {
      if (partition.leader !== node) continue;
      const batch = partition.takeNext();
      if (batch === undefined) continue;
      shipments.push({ partition, batch });
      bytes += batch.wireBytes.length;
      if (bytes >= REQUEST_BYTES_MAX) break;
    }
    return shipments;
  }

  #send(link: BrokerLink, connection: BrokerConnection, shipments: readonly Shipment[]): void {
    const version = connection.version(PRODUCE.key, PRODUCE.minVersion, PRODUCE.maxVersion);
    if (version === undefined) {
      this.#o.fail(tooOld(connection, 'Produce'));
      return;
    }
    const parts = shipments.map(({ partition, batch }) => ({
      partition: partition.index,
      batch: batch.wireBytes,
    }));
    link.requests++;
    this.#o.stats.inFlight += shipments.length;
    const settle = (each: (shipment: Shipment) => void): void => {
      link.requests--;
      this.#o.stats.inFlight -= shipments.length;
      if (this.#stopped.signal.aborted) return;
      for (const shipment of shipments) each(shipment);
      this.#pump(link.node);
    };
    connection.request(
      {
        key: PRODUCE.key,
        version,
        body: produceBody(this.#o.topic, parts, {
          timeoutMs: this.#o.brokerTimeoutMs,
          transactionalId: this.#o.transactional?.id,
        }),
        parse: (reader: Reader) => parseProduceResponse(reader),
      },
      {
        answer: (answers) => {
          link.silence.answered();
          settle((shipment) => this.#answered(shipment, connection.name, answers));
        },
        fail: (error) => settle((shipment) => this.#lost(shipment, `${connection.name}: ${error.message}`)),
      },
    );
    failpoint('after-send-before-ack');
  }

  #answered({ partition, batch }: Shipment, where: string, answers: readonly ProduceAnswer[]): void {
    const answer = answers.find((a) => a.partition === partition.index);
    if (answer === undefined) {
      this.#lost({ partition, batch }, `${where} gave no answer for partition ${partition.index}`);
      return;
    }
    const { errorCode, errorMessage } = answer;
    const { transactional } = this.#o;
    const fate = transactional === undefined ? fateOf(errorCode) : transactionalFateOf(errorCode);
    if (fate === 'done' && partition.offsetWentBack(answer.baseOffset)) {
      this.#lost({ partition, batch }, `${where} began partition ${partition.index} anew`);
      return;
    }
    if (fate === 'done') {
      partition.done(batch);
      this.#backoff.reset();
      this.#sayWhenWell();
      return;
    }
    const name = `partition ${partition.index} of topic ${this.#o.topic}`;
    if (fate === 'fatal') {
      this.#o.fail(fatalError(errorCode, `Kafka refused a batch for ${name}`, errorMessage));
      return;
    }
    const trouble = `${where}, ${name}: ${describeCode(errorCode, errorMessage)}`;
    this.#noteTrouble(trouble, isLeaderMove(errorCode));
    if (fate === 'fenced' || fate === 'lost') {
      partition.undone(trouble);
      if (fate === 'fenced') transactional?.fenced(trouble);
      else this.#o.fail(transactionLost(trouble));
      return;
    }
    if (fate === 'renumber') partition.outOfSequence(batch, trouble);
    else if (fate === 'tooLarge') {
      partition.tooLarge(batch, trouble);
      this.#backoff.reset();
    } else partition.undone(trouble);
    this.#recover();
  }

  #lost({ partition }: Shipment, trouble: string): void {
    this.#noteTrouble(trouble);
    partition.undone(trouble);
    this.#recover();
  }

  #noteTrouble(trouble: string, isUsual = false): void {
    this.#leadersKnownMs = -Infinity;
    this.#log.note(trouble, { isUsual, tries: this.#backoff.attempts });
  }

  #sayWhenWell(): void {
    if (this.trouble === undefined) this.#log.well();
  }

  #link(node: number): BrokerLink {
    let link = this.#links.get(node);
    if (link === undefined) {
      link = new BrokerLink(node, { cluster: this.#o.cluster, stopped: this.#stopped.signal });
      this.#links.set(node, link);
    }
    return link;
  }

  #connectSoon(link: BrokerLink): void {
    const address = this.#o.cluster.addressOf(link.node);
    if (address === undefined) {
      this.#blockLedBy(link.node, 'it has no leader now');
      return;
    }
    if (link.connecting) return;
    link.connecting = true;
    this.#connect(link, address)
      .catch((error: unknown) => {
        if (this.#stopped.signal.aborted) return;
        const trouble = explainConnectError(error, formatBrokerAddress(address));
        if (typeof trouble === 'string') this.#blockLedBy(link.node, trouble);
        else this.#o.fail(trouble);
      })
      .finally(() => {
        link.connecting = false;
      });
  }

  async #connect(link: BrokerLink, address: BrokerAddress): Promise<void> {
    const connection = await this.#o.cluster.connect(address, this.#stopped.signal);
    link.use(connection);
    this.#pump(link.node);
    this.#nap.abort();
  }

  /** Its partitions wait until {@link #recover} finds a way to a leader. */
  #blockLedBy(node: number, reason: string): void {
    this.#leadersKnownMs = -Infinity;
    for (const partition of this.#o.partitions) {
      if (partition.leader !== node) continue;
      const trouble = `partition ${partition.index} of topic ${this.#o.topic}: ${reason}`;
      if (partition.isBusy) this.#noteTrouble(trouble);
      partition.block(trouble);
    }
    this.#recover();
  }

  /** Runs, once at a time, until no partition is blocked. */
  #recover(): void {
    if (this.#recovering) return;
    this.#recovering = true;
    this.#recoverAll()
      .catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) this.#o.fail(error);
      })
      .finally(() => {
        this.#recovering = false;
        if (!this.#stopped.signal.aborted && this.#o.partitions.some(({ blocked }) => blocked))
          this.#recover();
      });
  }

  async #recoverAll(): Promise<void> {
    const signal = this.#stopped.signal;
    while (!signal.aborted && this.#o.partitions.some((partition) => partition.blocked)) {
      this.#nap = new AbortController();
      await sleep(this.#backoff.nextMs(), this.#nap.signal);
      if (signal.aborted) return;
      this.#connectBlocked();
      if (performance.now() - this.#leadersKnownMs > LEADERS_FRESH_MS && !(await this.#refresh())) continue;
      for (const partition of this.#o.partitions) {
        if (!partition.blocked || partition.inFlight > 0 || partition.leader < 0) continue;
        const link = this.#link(partition.leader);
        if (link.connection?.isOpen !== true) {
          this.#connectSoon(link);
          continue;
        }
        if (partition.needsNewProducer && this.#o.transactional !== undefined) {
          throw transactionLost(partition.trouble ?? 'the broker has lost count of its batches');
        }
        if (partition.needsNewProducer && !(await this.#renumber(partition))) continue;
        partition.resume();
        if (!partition.isBusy) partition.trouble = undefined;
      }
      this.#sayWhenWell();
      this.#pumpAll();
    }
  }

  /** Connects to those who led last, while the question is on its way who leads now. */
  #connectBlocked(): void {
    for (const { blocked, leader } of this.#o.partitions) {
      const link = blocked && leader >= 0 ? this.#link(leader) : undefined;
      if (link !== undefined && link.connection?.isOpen !== true) this.#connectSoon(link);
    }
  }

  async #renumber(partition: PartitionWriter): Promise<boolean> {
    try {
      partition.renumber(await this.#o.cluster.newProducer(this.#stopped.signal));
      this.#o.stats.producerResets++;
      return true;
    } catch (error) {
      if (error instanceof KafkaTunnelError) throw error;
      this.#o.logger.debug({ error }, 'no new producer id yet');
      return false;
    }
  }

  /**
   * Learns who leads which partition now.
   * @returns false when nobody can say
   * @throws KafkaTunnelError when the topic is gone
   */
  async #refresh(): Promise<boolean> {
    let topic: TopicMetadata;
    try {
      topic = await this.#o.cluster.topic(this.#o.topic, this.#stopped.signal);
    } catch (error) {
      if (error instanceof KafkaTunnelError) throw error;
      if (error instanceof NotReadyError) this.#noteReason(error.message);
      return false;
    }
    if (topic.errorCode === KafkaCode.none) {
      this.#unknownSinceMs = undefined;
      if (topic.id !== this.#topicId || topic.leaders.length < this.#o.partitions.length)
        throw topicDeleted(this.#o.topic);
      this.#setLeaders(topic);
      return true;
    }
    if (topic.errorCode === KafkaCode.unknownTopicOrPartition) {
      this.#unknownSinceMs ??= performance.now();
      if (performance.now() - this.#unknownSinceMs > UNKNOWN_TOPIC_PATIENCE_MS)
        throw topicDeleted(this.#o.topic);
    } else if (fateOf(topic.errorCode) === 'fatal') {
      throw fatalError(topic.errorCode, `Topic ${this.#o.topic}`);
    }
    return false;
  }

  /** What keeps the blocked partitions waiting now; what stopped them first may be long over. */
  #noteReason(reason: string): void {
    this.#o.stats.lastError = reason;
    for (const partition of this.#o.partitions) if (partition.blocked) partition.block(reason);
  }

  #setLeaders(topic: TopicMetadata): void {
    this.#leadersKnownMs = performance.now();
    for (const partition of this.#o.partitions) partition.leader = topic.leaders[partition.index] ?? -1;
    for (const link of this.#links.values()) {
      const address = this.#o.cluster.addressOf(link.node);
      const current = link.connection?.address;
      if (current !== undefined && (address?.host !== current.host || address.port !== current.port)) {
        link.connection?.close(new Error(`broker ${link.node} has another address now`));
      }
    }
  }
}
