import { Backoff } from '../../../shared/backoff.ts';
import type { Logger } from '../../../shared/logger.ts';
import { sleep } from '../../../shared/sleep.ts';
import { askBroker } from '../client/broker-api.ts';
import { formatBrokerAddress, type BrokerAddress } from '../client/broker-address.ts';
import { SilentBrokerError, type BrokerConnection } from '../client/broker-connection.ts';
import { client } from '../client/client.ts';
import { explainConnectError } from '../client/connect-error.ts';
import { NotReadyError, type KafkaCluster } from '../client/kafka-cluster.ts';
import {
  describeCode,
  fatalError,
  KafkaCode,
  KafkaTunnelError,
  topicDeleted,
  transactionalFateOf,
  transactionLost,
  UNKNOWN_TOPIC_PATIENCE_MS,
} from '../client/kafka-error.ts';
import type { ProducerIdentity } from '../client/producer-identity.ts';

/** Partitions of one topic. */
export interface TopicPartitions {
  readonly name: string;
  readonly partitions: number[];
}

/** The answer about the partitions of one topic. */
interface TopicResult {
  readonly name: string;
  readonly resultsByPartition: ReadonlyArray<{ readonly partitionErrorCode: number }>;
}

/** Another owner of the transactional id has begun, or the broker has ended our transaction because it took too long. */
export class FencedError extends Error {}

/** Versions that leave the producer's epoch as it is (before KIP-890), so that batches of the next transaction can be encoded already. */
const apis = {
  initProducerId: {
    name: 'InitProducerId',
    versions: [client.initProducerIdV5, client.initProducerIdV4, client.initProducerIdV3],
  },
  addPartitionsToTxn: { name: 'AddPartitionsToTxn', versions: [client.addPartitionsToTxnV3] },
  endTxn: { name: 'EndTxn', versions: [client.endTxnV4, client.endTxnV3] },
} as const;

const BACKOFF_MIN_MS = 20;
const BACKOFF_MAX_MS = 1000;
/** The coordinator is still writing the markers of the transaction before: a matter of a few milliseconds. */
const CONCURRENT_PAUSE = { minMs: 2, maxMs: 20 };
/**
 * A coordinator that is silent for so long is looked for again; twice as long each time, up to what a request may take at most. Only where what has not
 * left this host can be taken back: a late EndTxn would end the next transaction.
 */
const SILENT_MAX_MS = 5000;
/** How long a connection to the coordinator may be silent. @param silences how often in a row it was */
export function coordinatorPatienceMs(cluster: Pick<KafkaCluster, 'canTakeBack'>, silences: number): number {
  return cluster.canTakeBack ? SILENT_MAX_MS * 2 ** silences : Infinity;
}

/** How long taking over waits quietly until the former owner's transaction has been ended. */
const TAKEOVER_PATIENCE_MS = 5000;
const NO_PRODUCER: ProducerIdentity = { id: -1n, epoch: -1 };
/** Codes that mean: ask another broker. */
const movedCodes: ReadonlySet<number> = new Set([
  KafkaCode.coordinatorLoadInProgress,
  KafkaCode.coordinatorNotAvailable,
  KafkaCode.notCoordinator,
]);

/**
 * The broker that looks after our transactions. Every request is repeated until it is answered for good, wherever the
 * coordinator moves meanwhile: a repeat of one that was carried out already is answered like the first.
 */
export class TransactionCoordinator {
  /** What is wrong, for people. */
  trouble: string | undefined;
  readonly #cluster: KafkaCluster;
  readonly #transactionalId: string;
  readonly #timeoutMs: number;
  readonly #logger: Logger;
  #address: BrokerAddress | undefined;
  /** Where it was a moment ago, for the first try. */
  #known: BrokerAddress | undefined;
  #connection: BrokerConnection | undefined;
  #producer: ProducerIdentity = NO_PRODUCER;
  /** How often in a row it was silent. */
  #silences = 0;

  /** @param options.timeoutMs after which the broker aborts an open transaction */
  constructor(options: {
    cluster: KafkaCluster;
    transactionalId: string;
    timeoutMs: number;
    logger: Logger;
  }) {
    this.#cluster = options.cluster;
    this.#transactionalId = options.transactionalId;
    this.#timeoutMs = options.timeoutMs;
    this.#logger = options.logger;
  }

  /**
   * Becomes the owner of the transactional id: fences the former one and ends its transaction. When it returns, all that the former
   * owner has committed can be read.
   * @param known the broker to ask first
   * @throws NotReadyError when it may work later
   * @throws KafkaTunnelError without the right to the id
   */
  async takeOver(signal: AbortSignal, known?: BrokerAddress): Promise<ProducerIdentity> {
    this.#known = known;
    const startedMs = performance.now();
    const concurrent = new Backoff(CONCURRENT_PAUSE);
    for (;;) {
      const answer = await this.#askInit(signal);
      const { errorCode } = answer;
      if (errorCode === KafkaCode.none) {
        this.#producer = { id: answer.producerId, epoch: answer.producerEpoch };
        return this.#producer;
      }
      const trouble = `Transactional id ${this.#transactionalId}: ${describeCode(errorCode)}`;
      if (transactionalFateOf(errorCode) === 'fatal')
        throw fatalError(errorCode, `Transactional id ${this.#transactionalId}`);
      if (movedCodes.has(errorCode)) this.close();
      const isPatient = performance.now() - startedMs < TAKEOVER_PATIENCE_MS;
      if (errorCode !== KafkaCode.concurrentTransactions || !isPatient) {
        throw new NotReadyError(trouble, { hasAnswered: true });
      }
      await sleep(concurrent.nextMs(), signal);
    }
  }

  /**
   * Makes partitions part of the open transaction, which begins with it.
   * @throws FencedError, KafkaTunnelError
   */
  async add(topics: readonly TopicPartitions[], signal: AbortSignal): Promise<void> {
    const transaction = { ...this.#identity(), verifyOnly: false, topics: [...topics] };
    let unknownSinceMs: number | undefined;
    await this.#insist('partitions cannot be added to the transaction', signal, async (connection) => {
      const answer = await askBroker(connection, apis.addPartitionsToTxn, [transaction]);
      const results = answer.resultsByTransaction.flatMap(({ topicResults }) => topicResults);
      const code = worstCode(results);
      const name = results.find((result) => worstCode([result]) === code)?.name ?? '';
      if (code === KafkaCode.topicAuthorizationFailed) throw fatalError(code, `Topic ${name}`);
      if (code !== KafkaCode.unknownTopicOrPartition) return code;
      unknownSinceMs ??= performance.now();
      if (performance.now() - unknownSinceMs < UNKNOWN_TOPIC_PATIENCE_MS) return code;
      throw topicDeleted(name);
    });
  }

  /**
   * Commits the open transaction, or aborts it.
   * @returns whether a request had no answer, which may still be on its way and would end the next transaction: see {@link renew}
   * @throws FencedError, KafkaTunnelError
   */
  async end(result: 'commit' | 'abort', signal: AbortSignal): Promise<boolean> {
    const { transactionalId: id, producerId, producerEpoch: epoch } = this.#identity();
    const commits = result === 'commit';
    let unanswered = 0;
    await this.#insist(`the transaction cannot be ended (${result})`, signal, async (connection) => {
      unanswered++;
      const answer = await askBroker(connection, apis.endTxn, id, producerId, epoch, commits);
      unanswered--;
      return answer.errorCode;
    });
    return unanswered > 0;
  }

  /**
   * Raises our epoch between two transactions, so that the broker refuses what was sent before and comes late. (Since Kafka 4 a transaction may
   * have an epoch of its own, KIP-890, but only one whose batches are finished after the one before has been committed.)
   * @returns what all batches that follow are sent by, with sequences from 0
   * @throws FencedError, KafkaTunnelError
   */
  async renew(signal: AbortSignal): Promise<ProducerIdentity> {
    const { id, epoch } = this.#producer;
    await this.#insist('the epoch of the transactions cannot be raised', signal, async (connection) => {
      const answer = await this.#init(connection, { id, epoch });
      if (answer.errorCode === KafkaCode.none) {
        this.#producer = { id: answer.producerId, epoch: answer.producerEpoch };
      }
      return answer.errorCode;
    });
    return this.#producer;
  }

  /** Ends the connection; the next request opens another. */
  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
    this.#address = undefined;
  }

  #identity(): { transactionalId: string; producerId: bigint; producerEpoch: number } {
    const { id: producerId, epoch: producerEpoch } = this.#producer;
    return { transactionalId: this.#transactionalId, producerId, producerEpoch };
  }

  /** @throws NotReadyError when the coordinator cannot be reached */
  async #askInit(
    signal: AbortSignal,
  ): Promise<{ errorCode: number; producerId: bigint; producerEpoch: number }> {
    try {
      return await this.#init(await this.#connect(signal), NO_PRODUCER);
    } catch (error) {
      if (error instanceof KafkaTunnelError || error instanceof NotReadyError) throw error;
      throw new NotReadyError(this.#explain(error), { hasAnswered: false });
    }
  }

  #init(
    connection: BrokerConnection,
    { id, epoch }: ProducerIdentity,
  ): Promise<{ errorCode: number; producerId: bigint; producerEpoch: number }> {
    return askBroker(connection, apis.initProducerId, this.#transactionalId, this.#timeoutMs, id, epoch);
  }

  /** Asks until the answer's code is final. */
  async #insist(
    what: string,
    signal: AbortSignal,
    question: (connection: BrokerConnection) => Promise<number>,
  ): Promise<void> {
    const backoff = new Backoff({ minMs: BACKOFF_MIN_MS, maxMs: BACKOFF_MAX_MS });
    const concurrent = new Backoff(CONCURRENT_PAUSE);
    for (;;) {
      signal.throwIfAborted();
      const code = await this.#codeOf(question, signal);
      if (code !== undefined) this.#silences = 0;
      if (code === KafkaCode.none) {
        this.trouble = undefined;
        return;
      }
      if (code === KafkaCode.concurrentTransactions) {
        await sleep(concurrent.nextMs(), signal);
        continue;
      }
      if (code !== undefined) this.#judge(code, what);
      await sleep(backoff.nextMs(), signal);
    }
  }

  /** The code of the answer, or undefined when there is none. */
  async #codeOf(
    question: (connection: BrokerConnection) => Promise<number>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    try {
      return await question(await this.#connect(signal));
    } catch (error) {
      if (error instanceof KafkaTunnelError) throw error;
      this.#note(error instanceof NotReadyError ? error.message : this.#explain(error));
      return undefined;
    }
  }

  /** @throws for a code that no repeat cures */
  #judge(code: number, what: string): void {
    const trouble = `${what}: ${describeCode(code)}`;
    switch (transactionalFateOf(code)) {
      case 'fenced':
        throw new FencedError(trouble);
      case 'lost':
      case 'renumber':
        throw transactionLost(trouble);
      case 'fatal':
        throw fatalError(code, `Transactional id ${this.#transactionalId}`);
      default:
        if (movedCodes.has(code)) this.close();
        this.#note(trouble);
    }
  }

  #note(trouble: string): void {
    if (this.trouble === undefined)
      this.#logger.debug({ trouble }, 'the transaction coordinator does not answer');
    this.trouble = trouble;
  }

  async #connect(signal: AbortSignal): Promise<BrokerConnection> {
    if (this.#connection?.isReady === true) return this.#connection;
    this.#connection?.close();
    const known = this.#known;
    this.#known = undefined;
    this.#address = known ?? (await this.#cluster.transactionCoordinator(this.#transactionalId, signal));
    const patienceMs = coordinatorPatienceMs(this.#cluster, this.#silences);
    this.#connection = await this.#cluster.connect(this.#address, signal, patienceMs);
    return this.#connection;
  }

  /** Why the coordinator did not answer; it is looked for again. @throws KafkaTunnelError for what only a person can cure */
  #explain(error: unknown): string {
    const broker = this.#address === undefined ? 'Kafka' : formatBrokerAddress(this.#address);
    this.close();
    if (error instanceof SilentBrokerError) this.#silences++;
    const explained = explainConnectError(error, broker);
    if (typeof explained !== 'string') throw explained;
    return explained;
  }
}

/** The code that says most: partitions beside one that failed are only "not attempted". */
function worstCode(results: readonly TopicResult[]): number {
  const said = results
    .flatMap(({ resultsByPartition }) => resultsByPartition.map((partition) => partition.partitionErrorCode))
    .filter((code) => code !== KafkaCode.none);
  return said.find((code) => code !== KafkaCode.operationNotAttempted) ?? said[0] ?? KafkaCode.none;
}
