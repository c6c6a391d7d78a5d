import { sleep } from '../../../shared/sleep.ts';
import { askBroker } from '../client/broker-api.ts';
import { formatBrokerAddress, type BrokerAddress } from '../client/broker-address.ts';
import type { BrokerConnection } from '../client/broker-connection.ts';
import { client } from '../client/client.ts';
import { explainConnectError } from '../client/connect-error.ts';
import { assignRange, decodeAssignment, encodeSubscription } from './group-assignment.ts';
import { NotReadyError, type KafkaCluster } from '../client/kafka-cluster.ts';
import { describeCode, fateOf, KafkaCode, KafkaTunnelError } from '../client/kafka-error.ts';
import { readRefused } from '../client/read-refused.ts';

/** What a member has to read. */
export interface GroupAssignment {
  /** Counts up with every change of the group. */
  readonly generation: number;
  readonly memberId: string;
  /** Whether this member shares out the partitions. */
  readonly isLeader: boolean;
  readonly partitions: readonly number[];
}

/**
 * How a member stands after an answer:
 * - `member`: nothing has changed
 * - `rebalancing`: the group shares out its partitions anew: commit, and join again
 * - `lost`: the group goes on without us: what we had is another's
 */
export type Membership = 'member' | 'rebalancing' | 'lost';

type JoinGroupResponse = ReturnType<typeof client.joinGroupV9.parseResponse>;

/** After so long without a heartbeat the group gives our partitions to others. Within what brokers allow by default. */
export const SESSION_TIMEOUT_MS = 10_000;
/** How long the others wait for us to join again. */
export const REBALANCE_TIMEOUT_MS = 10_000;
/** Before joining anew, when the group changes while we join. */
const JOIN_PAUSE_MS = 50;
const PROTOCOL_TYPE = 'consumer';
const ASSIGNOR = 'range';
const NO_EPOCH = -1;
const NO_OFFSET = -1n;

const apis = {
  joinGroup: {
    name: 'JoinGroup',
    versions: [client.joinGroupV9, client.joinGroupV8, client.joinGroupV7, client.joinGroupV6],
  },
  syncGroup: { name: 'SyncGroup', versions: [client.syncGroupV5, client.syncGroupV4] },
  heartbeat: { name: 'Heartbeat', versions: [client.heartbeatV4] },
  leaveGroup: { name: 'LeaveGroup', versions: [client.leaveGroupV5, client.leaveGroupV4] },
  offsetCommit: { name: 'OffsetCommit', versions: [client.offsetCommitV8] },
  offsetFetch: { name: 'OffsetFetch', versions: [client.offsetFetchV9, client.offsetFetchV8] },
} as const;

/**
 * Our membership in a consumer group that reads one topic (kafka.apache.org/protocol, "Consumer group"): the questions to the group's
 * coordinator, one at a time. Whoever calls repeats what throws a NotReadyError.
 */
export class ConsumerGroup {
  readonly #cluster: KafkaCluster;
  readonly #groupId: string;
  readonly #topic: string;
  #memberId = '';
  #generation = -1;
  #address: BrokerAddress | undefined;
  #connection: BrokerConnection | undefined;

  /** @param options.cluster whose connections wait for an answer for longer than REBALANCE_TIMEOUT_MS */
  constructor(options: { cluster: KafkaCluster; groupId: string; topic: string }) {
    this.#cluster = options.cluster;
    this.#groupId = options.groupId;
    this.#topic = options.topic;
  }

  /** Whether there is a connection to the coordinator. */
  get isConnected(): boolean {
    return this.#connection?.isOpen === true;
  }

  /**
   * Joins, or joins again; waits until all members have. Who leads shares out the partitions.
   * @param partitionCount of the topic, in case we lead
   * @throws NotReadyError, KafkaTunnelError
   */
  async join(partitionCount: number, signal: AbortSignal): Promise<GroupAssignment> {
    for (;;) {
      signal.throwIfAborted();
      const joined = await this.#ask(signal, (connection) => this.#askJoin(connection));
      if (joined.errorCode === KafkaCode.memberIdRequired) {
        this.#memberId = joined.memberId ?? '';
        continue;
      }
      if (this.#judge(joined.errorCode) === 'member') {
        const assignment = await this.#sync(joined, partitionCount, signal);
        if (assignment !== undefined) return assignment;
      }
      await sleep(JOIN_PAUSE_MS, signal);
    }
  }

  /** Says that we live. @throws NotReadyError, KafkaTunnelError */
  async heartbeat(signal: AbortSignal): Promise<Membership> {
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.heartbeat, this.#groupId, this.#generation, this.#memberId, null),
    );
    return this.#judge(answer.errorCode);
  }

  /** Commits the offset to read next, by partition. @throws NotReadyError, KafkaTunnelError */
  async commit(offsets: ReadonlyMap<number, number>, signal: AbortSignal): Promise<Membership> {
    const partitions = [...offsets].map(([partitionIndex, offset]) => ({
      partitionIndex,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: NO_EPOCH,
      committedMetadata: null,
    }));
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.offsetCommit, this.#groupId, this.#generation, this.#memberId, null, [
        { name: this.#topic, partitions },
      ]),
    );
    const codes = answer.topics.flatMap((topic) => topic.partitions.map(({ errorCode }) => errorCode));
    return this.#judge(codes.find((code) => code !== KafkaCode.none) ?? KafkaCode.none);
  }

  /**
   * The committed offsets, by partition; without those that have none.
   * @throws NotReadyError, KafkaTunnelError
   */
  async committed(partitions: readonly number[], signal: AbortSignal): Promise<Map<number, number>> {
    const topics = [{ name: this.#topic, partitionIndexes: [...partitions] }];
    const wanted = { groupId: this.#groupId, memberId: null, memberEpoch: NO_EPOCH, topics };
    const answer = await this.#ask(signal, (connection) =>
      askBroker(connection, apis.offsetFetch, [wanted], true),
    );
    const group = answer.groups[0];
    this.#judge(group?.errorCode ?? KafkaCode.none);
    const offsets = new Map<number, number>();
    for (const found of group?.topics.flatMap((topic) => topic.partitions) ?? []) {
      this.#judge(found.errorCode);
      if (found.committedOffset !== NO_OFFSET)
        offsets.set(found.partitionIndex, Number(found.committedOffset));
    }
    return offsets;
  }

  /** Leaves, so that others take over at once. Best effort: never rejects. */
  async leave(signal: AbortSignal): Promise<void> {
    const memberId = this.#memberId;
    if (memberId === '') return;
    this.#memberId = '';
    const member = { memberId, groupInstanceId: null, reason: null };
    await this.#ask(signal, (connection) =>
      askBroker(connection, apis.leaveGroup, this.#groupId, [member]),
    ).catch(() => undefined);
  }

  /** Ends the connection; the next question opens another. */
  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** @returns undefined when the group has changed again meanwhile */
  async #sync(
    joined: JoinGroupResponse,
    partitionCount: number,
    signal: AbortSignal,
  ): Promise<GroupAssignment | undefined> {
    const memberId = joined.memberId ?? '';
    const generation = joined.generationId;
    this.#memberId = memberId;
    this.#generation = generation;
    const isLeader = joined.leader === memberId;
    const shares = isLeader ? assignRange(this.#topic, partitionCount, joined.members) : [];
    const synced = await this.#ask(signal, (connection) => this.#askSync(connection, shares));
    if (this.#judge(synced.errorCode) !== 'member') return undefined;
    return { generation, memberId, isLeader, partitions: decodeAssignment(synced.assignment, this.#topic) };
  }

  #askJoin(connection: BrokerConnection): Promise<JoinGroupResponse> {
    return askBroker(
      connection,
      apis.joinGroup,
      this.#groupId,
      SESSION_TIMEOUT_MS,
      REBALANCE_TIMEOUT_MS,
      this.#memberId,
      null,
      PROTOCOL_TYPE,
      [{ name: ASSIGNOR, metadata: encodeSubscription(this.#topic) }],
      null,
    );
  }

  #askSync(
    connection: BrokerConnection,
    assignments: Array<{ memberId: string; assignment: Buffer }>,
  ): Promise<{ errorCode: number; assignment: Buffer }> {
    return askBroker(
      connection,
      apis.syncGroup,
      this.#groupId,
      this.#generation,
      this.#memberId,
      null,
      PROTOCOL_TYPE,
      ASSIGNOR,
      assignments,
    );
  }

  /** @throws NotReadyError, KafkaTunnelError */
  #judge(code: number): Membership {
    switch (code) {
      case KafkaCode.none:
        return 'member';
      case KafkaCode.rebalanceInProgress:
        return 'rebalancing';
      case KafkaCode.unknownMemberId:
        this.#memberId = '';
        return 'lost';
      case KafkaCode.illegalGeneration:
        return 'lost';
      default:
        break;
    }
    const where = `Consumer group ${this.#groupId}`;
    if (fateOf(code) === 'fatal') throw readRefused(code, where);
    if (movedCodes.has(code)) this.close();
    throw new NotReadyError(`${where}: ${describeCode(code)}`, { hasAnswered: true });
  }

  /** Asks the coordinator, which is looked for again when it does not answer. An abort ends the connection. */
  async #ask<T>(signal: AbortSignal, question: (connection: BrokerConnection) => Promise<T>): Promise<T> {
    const abort = (): void => this.close();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await question(await this.#connect(signal));
    } catch (error) {
      this.close();
      signal.throwIfAborted();
      if (error instanceof KafkaTunnelError || error instanceof NotReadyError) throw error;
      const broker = this.#address === undefined ? 'Kafka' : formatBrokerAddress(this.#address);
      const explained = explainConnectError(error, broker);
      if (typeof explained !== 'string') throw explained;
      throw new NotReadyError(explained, { hasAnswered: false });
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async #connect(signal: AbortSignal): Promise<BrokerConnection> {
    if (this.#connection?.isReady === true) return this.#connection;
    this.close();
    this.#address = await this.#cluster.groupCoordinator(this.#groupId, signal);
    this.#connection = await this.#cluster.connect(this.#address, signal);
    return this.#connection;
  }
}

/** Codes that mean: ask another broker. */
const movedCodes: ReadonlySet<number> = new Set([
  KafkaCode.coordinatorLoadInProgress,
  KafkaCode.coordinatorNotAvailable,
  KafkaCode.notCoordinator,
]);
