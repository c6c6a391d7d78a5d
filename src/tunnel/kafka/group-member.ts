import { Backoff } from '../../shared/backoff.ts';
import type { Logger } from '../../shared/logger.ts';
import { sleep } from '../../shared/sleep.ts';
import { askBroker } from './broker-api.ts';
import { formatBrokerAddress } from './broker-address.ts';
import { BrokerConnection, type BrokerConnectionOptions } from './broker-connection.ts';
import { client } from './client.ts';
import { explainConnectError } from './connect-error.ts';
import { decodeAssignment, encodeAssignment, encodeSubscription, rangeOf } from './group-protocol.ts';
import { NotReadyError, type KafkaCluster } from './kafka-cluster.ts';
import { describeCode, fatalError, fateOf, KafkaCode, KafkaTunnelError } from './kafka-error.ts';

/** A member that says nothing for so long is taken for dead, and its partitions go to others. */
const SESSION_TIMEOUT_MS = 10_000;
/** How long the group waits for members to finish what they have in their hands. */
export const REBALANCE_TIMEOUT_MS = 60_000;
const HEARTBEAT_MS = 2000;
const ANSWER_TIMEOUT_MS = 10_000;
const RETRY_MIN_MS = 200;
const RETRY_MAX_MS = 5000;
const NO_OFFSET = -1n;

const apis = {
  join: { name: 'JoinGroup', versions: [client.joinGroupV9, client.joinGroupV8, client.joinGroupV7] },
  sync: { name: 'SyncGroup', versions: [client.syncGroupV5] },
  heartbeat: { name: 'Heartbeat', versions: [client.heartbeatV4] },
  leave: { name: 'LeaveGroup', versions: [client.leaveGroupV5, client.leaveGroupV4] },
  commit: { name: 'OffsetCommit', versions: [client.offsetCommitV8] },
  fetch: { name: 'OffsetFetch', versions: [client.offsetFetchV8] },
} as const;

export interface GroupMemberOptions {
  readonly cluster: KafkaCluster;
  readonly connection: BrokerConnectionOptions;
  readonly groupId: string;
  readonly topic: string;
  readonly logger: Logger;
  readonly onTrouble: (trouble: string | undefined) => void;
}

/** The partitions that are ours until the group divides them anew. */
export interface GroupGeneration {
  readonly partitions: readonly number[];
  /** The committed offset of each of them; none where nothing has been committed. */
  committed(): Promise<ReadonlyMap<number, bigint>>;
  /** @throws NotReadyError when the group takes nothing from us now */
  commit(offsets: ReadonlyMap<number, bigint>): Promise<void>;
}

/** A place in the group, as the coordinator knows it. */
interface Membership {
  readonly connection: BrokerConnection;
  readonly memberId: string;
  readonly generation: number;
}

/**
 * A member of a consumer group (Kafka's classic protocol, all partitions divided anew at each change, by range). The client's Consumer
 * has this too, but reports broken connections as events that nobody can catch, and keeps to a coordinator that has gone.
 */
export class GroupMember {
  readonly #o: GroupMemberOptions;
  #memberId = '';

  constructor(options: GroupMemberOptions) {
    this.#o = options;
  }

  /**
   * Stays in the group until the signal aborts, and leaves it then.
   * @param work called for each generation; it must end soon after `over` has aborted, and then nothing is on its way any more
   * @throws KafkaTunnelError for what only a person can cure
   */
  async run(
    work: (generation: GroupGeneration, over: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const backoff = new Backoff({ minMs: RETRY_MIN_MS, maxMs: RETRY_MAX_MS });
    while (!signal.aborted) {
      try {
        const connection = await this.#connect(signal);
        try {
          while (!signal.aborted) {
            await this.#generation(connection, work, signal);
            backoff.reset();
          }
          await this.#leave(connection);
        } finally {
          connection.close();
        }
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof KafkaTunnelError) throw error;
        const trouble = error instanceof Error ? error.message : String(error);
        this.#o.onTrouble(trouble);
        this.#o.logger.debug({ trouble }, 'not in the consumer group');
        await sleep(backoff.nextMs(), signal);
      }
    }
  }

  async #connect(signal: AbortSignal): Promise<BrokerConnection> {
    const { cluster, groupId, connection } = this.#o;
    const address = await cluster.coordinator('group', groupId, signal);
    try {
      // A join is answered when all members have joined.
      const requestTimeoutMs = REBALANCE_TIMEOUT_MS + ANSWER_TIMEOUT_MS;
      return await BrokerConnection.open(address, { ...connection, requestTimeoutMs }, signal);
    } catch (error) {
      const explained = explainConnectError(error, formatBrokerAddress(address));
      if (typeof explained !== 'string') throw explained;
      throw new NotReadyError(explained, { hasAnswered: false });
    }
  }

  /** From one division of the partitions to the next. */
  async #generation(
    connection: BrokerConnection,
    work: (generation: GroupGeneration, over: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const giveUp = (): void => connection.close();
    signal.addEventListener('abort', giveUp, { once: true });
    const joined = await this.#join(connection, signal).finally(() => {
      signal.removeEventListener('abort', giveUp);
    });
    if (signal.aborted) return;
    const { membership, partitions } = joined;
    const { topic, groupId, logger } = this.#o;
    logger.info(`partitions of ${topic} for this member of ${groupId}: ${partitions.join(', ') || 'none'}`);
    this.#o.onTrouble(undefined);
    const generation = {
      partitions,
      committed: () => this.#committed(connection, partitions),
      commit: (offsets: ReadonlyMap<number, bigint>) => this.#commit(membership, offsets),
    };
    const over = new AbortController();
    const working = work(generation, AbortSignal.any([over.signal, signal]));
    const ended = new AbortController();
    const workEnded = working.finally(() => ended.abort());
    workEnded.catch(() => {});
    try {
      await this.#beat(membership, AbortSignal.any([ended.signal, signal]));
    } finally {
      over.abort();
      // While what is in our hands is being finished, we are still alive.
      const keeping = this.#keepAlive(membership, ended.signal);
      await workEnded;
      await keeping;
    }
  }

  async #join(
    connection: BrokerConnection,
    signal: AbortSignal,
  ): Promise<{ membership: Membership; partitions: number[] }> {
    const { topic, groupId } = this.#o;
    const protocols = [{ name: 'range', metadata: encodeSubscription(topic) }];
    for (;;) {
      const joined = await askBroker(
        connection,
        apis.join,
        groupId,
        SESSION_TIMEOUT_MS,
        REBALANCE_TIMEOUT_MS,
        this.#memberId,
        null,
        'consumer',
        protocols,
        '',
      );
      if (joined.errorCode === KafkaCode.memberIdRequired) {
        this.#memberId = joined.memberId ?? '';
        continue;
      }
      this.#check(joined.errorCode);
      this.#memberId = joined.memberId ?? '';
      const membership = { connection, memberId: this.#memberId, generation: joined.generationId };
      const isLeader = joined.leader === this.#memberId;
      const members = joined.members.map(({ memberId }) => memberId);
      const assignments = isLeader ? await this.#divide(members, signal) : [];
      const synced = await askBroker(
        connection,
        apis.sync,
        groupId,
        membership.generation,
        membership.memberId,
        null,
        'consumer',
        'range',
        assignments,
      );
      if (synced.errorCode === KafkaCode.rebalanceInProgress) continue;
      this.#check(synced.errorCode);
      return { membership, partitions: decodeAssignment(synced.assignment, topic) };
    }
  }

  async #divide(
    members: readonly string[],
    signal: AbortSignal,
  ): Promise<Array<{ memberId: string; assignment: Buffer }>> {
    const { topic, cluster } = this.#o;
    const { leaders, errorCode } = await cluster.topic(topic, signal);
    if (errorCode !== KafkaCode.none) {
      const text = `Topic ${topic}: ${describeCode(errorCode)}`;
      if (fateOf(errorCode) === 'fatal') throw fatalError(errorCode, `Topic ${topic}`);
      throw new NotReadyError(text, { hasAnswered: true });
    }
    return members.toSorted().map((memberId, index) => ({
      memberId,
      assignment: encodeAssignment(topic, rangeOf(leaders.length, members.length, index)),
    }));
  }

  /** Says that we are there until the group is divided anew, or the signal aborts. */
  async #beat(membership: Membership, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(HEARTBEAT_MS, signal);
      if (signal.aborted) return;
      const code = await this.#heartbeat(membership);
      if (code === KafkaCode.none) continue;
      if (code === KafkaCode.rebalanceInProgress) return;
      this.#check(code);
    }
  }

  async #keepAlive(membership: Membership, ended: AbortSignal): Promise<void> {
    while (!ended.aborted && membership.connection.isOpen) {
      await this.#heartbeat(membership).catch(() => undefined);
      await sleep(HEARTBEAT_MS, ended);
    }
  }

  async #heartbeat({ connection, generation, memberId }: Membership): Promise<number> {
    const answer = await withDeadline(
      askBroker(connection, apis.heartbeat, this.#o.groupId, generation, memberId, null),
      connection,
    );
    return answer.errorCode;
  }

  async #committed(
    connection: BrokerConnection,
    partitions: readonly number[],
  ): Promise<ReadonlyMap<number, bigint>> {
    const { groupId, topic } = this.#o;
    const topics = [{ name: topic, partitionIndexes: [...partitions] }];
    const answer = await withDeadline(
      askBroker(connection, apis.fetch, [{ groupId, memberId: null, memberEpoch: -1, topics }], true),
      connection,
    );
    const [group] = answer.groups;
    this.#check(group.errorCode);
    const offsets = new Map<number, bigint>();
    for (const { partitionIndex, committedOffset, errorCode } of group.topics[0]?.partitions ?? []) {
      this.#check(errorCode);
      if (committedOffset !== NO_OFFSET) offsets.set(partitionIndex, committedOffset);
    }
    return offsets;
  }

  async #commit(
    { connection, generation, memberId }: Membership,
    offsets: ReadonlyMap<number, bigint>,
  ): Promise<void> {
    const partitions = [...offsets].map(([partitionIndex, committedOffset]) => ({
      partitionIndex,
      committedOffset,
      committedLeaderEpoch: -1,
    }));
    const topics = [{ name: this.#o.topic, partitions }];
    const answer = await withDeadline(
      askBroker(connection, apis.commit, this.#o.groupId, generation, memberId, null, topics),
      connection,
    );
    for (const topic of answer.topics) {
      for (const { errorCode } of topic.partitions) {
        // The next commit is as good: that of this generation, while the group waits for us.
        if (errorCode !== KafkaCode.rebalanceInProgress) this.#check(errorCode);
      }
    }
  }

  async #leave(connection: BrokerConnection): Promise<void> {
    const { groupId } = this.#o;
    const members = [{ memberId: this.#memberId }];
    await withDeadline(askBroker(connection, apis.leave, groupId, members), connection).catch(
      () => undefined,
    );
    this.#memberId = '';
  }

  #check(code: number): void {
    if (code === KafkaCode.none) return;
    if (code === KafkaCode.unknownMemberId || code === KafkaCode.illegalGeneration) this.#memberId = '';
    const where = `Consumer group ${this.#o.groupId}`;
    if (fateOf(code) === 'fatal') throw fatalError(code, where);
    throw new NotReadyError(`${where}: ${describeCode(code)}`, { hasAnswered: true });
  }
}

/** The answer, or an end of the connection when it does not come in time. */
async function withDeadline<T>(answer: Promise<T>, connection: BrokerConnection): Promise<T> {
  const timer = setTimeout(
    () => connection.close(new Error(`${connection.name} does not answer`)),
    ANSWER_TIMEOUT_MS,
  );
  try {
    return await answer;
  } finally {
    clearTimeout(timer);
  }
}
