import { OplogueError } from '../../../shared/errors.ts';
import { client } from './client.ts';

/** Kafka cannot take what we send, and only a person can help, or (`retry: 'restart'`) a new beginning from the last commit. */
export class KafkaTunnelError extends OplogueError {
  constructor(options: { code: string; message: string; hint: string; cause?: unknown; retry?: 'restart' }) {
    super({ retry: 'fatal', ...options });
  }
}

/** Error codes of the protocol that the tunnel tells apart (kafka.apache.org/protocol, "Error Codes"). */
export const KafkaCode = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  messageTooLarge: 10,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  invalidTopic: 17,
  recordListTooLarge: 18,
  illegalGeneration: 22,
  inconsistentGroupProtocol: 23,
  unknownMemberId: 25,
  invalidSessionTimeout: 26,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  operationNotAttempted: 55,
  unknownProducerId: 59,
  unsupportedCompressionType: 76,
  memberIdRequired: 79,
  invalidRecord: 87,
  producerFenced: 90,
  transactionAbortable: 120,
} as const;

/**
 * What to do with a batch after the broker's answer:
 * - `done`: the broker holds it. A sequence that it has already is a repeat of ours.
 * - `renumber`: the broker has lost count of this producer; a new id, and everything unacknowledged again.
 * - `tooLarge`: smaller batches, or the end when it is a single record.
 * - `fatal`: no repeat helps.
 * - `again`: everything else, without an end: also errors that we do not know, since giving up would need a person
 *   where patience may do.
 */
export type Fate = 'done' | 'again' | 'renumber' | 'tooLarge' | 'fatal';

/** Codes that no repeat cures. */
const fatalCodes: ReadonlySet<number> = new Set([
  KafkaCode.invalidTopic,
  21, // INVALID_REQUIRED_ACKS
  KafkaCode.inconsistentGroupProtocol,
  24, // INVALID_GROUP_ID
  KafkaCode.invalidSessionTimeout,
  KafkaCode.topicAuthorizationFailed,
  KafkaCode.groupAuthorizationFailed,
  KafkaCode.clusterAuthorizationFailed,
  KafkaCode.invalidTimestamp,
  KafkaCode.unsupportedVersion,
  37, // INVALID_PARTITIONS
  38, // INVALID_REPLICATION_FACTOR
  40, // INVALID_CONFIG
  42, // INVALID_REQUEST
  43, // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44, // POLICY_VIOLATION
  KafkaCode.transactionalIdAuthorizationFailed,
  58, // SASL_AUTHENTICATION_FAILED
  KafkaCode.unsupportedCompressionType,
  KafkaCode.invalidRecord,
  KafkaCode.producerFenced,
]);

export function fateOf(code: number): Fate {
  switch (code) {
    case KafkaCode.none:
    case KafkaCode.duplicateSequenceNumber:
      return 'done';
    case KafkaCode.outOfOrderSequenceNumber:
    case KafkaCode.invalidProducerEpoch:
    case KafkaCode.invalidProducerIdMapping:
    case KafkaCode.unknownProducerId:
      return 'renumber';
    case KafkaCode.messageTooLarge:
    case KafkaCode.recordListTooLarge:
      return 'tooLarge';
    default:
      return fatalCodes.has(code) ? 'fatal' : 'again';
  }
}

/**
 * What to do after an answer about a transaction, or about a batch in one; besides {@link Fate}:
 * - `fenced`: the broker takes a newer owner of the transactional id for the right one, or has ended our transaction itself.
 * - `lost`: the transaction cannot be committed any more.
 */
export type TransactionalFate = Fate | 'fenced' | 'lost';

export function transactionalFateOf(code: number): TransactionalFate {
  switch (code) {
    case KafkaCode.invalidProducerEpoch:
    case KafkaCode.producerFenced:
      return 'fenced';
    case KafkaCode.invalidTransactionState:
    case KafkaCode.transactionAbortable:
      return 'lost';
    default:
      return fateOf(code);
  }
}

/** The transaction is gone; everything after the last commit has to be read and sent again. */
export function transactionLost(reason: string): KafkaTunnelError {
  return new KafkaTunnelError({
    code: 'KAFKA_TRANSACTION_LOST',
    message: `The Kafka transaction cannot be committed: ${reason}`,
    hint: 'reading begins again after the last commit, nothing is lost or doubled; if it happens again and again, see the log of the broker',
    retry: 'restart',
  });
}

/** A broker that has just started may not know a topic yet; after so long it is taken for deleted. */
export const UNKNOWN_TOPIC_PATIENCE_MS = 10_000;

export function topicDeleted(topic: string): KafkaTunnelError {
  return new KafkaTunnelError({
    code: 'KAFKA_TOPIC_DELETED',
    message: `Topic ${topic} was deleted, or deleted and made again, while it was written to`,
    hint: 'create the topic and start again: what Kafka has not acknowledged is sent again from the checkpoint; what the deleted topic held is gone',
  });
}

/** `NOT_ENOUGH_REPLICAS (19): ...`, with what the broker says, if anything. */
export function describeCode(code: number, serverMessage?: string | null): string {
  const { protocolErrors, protocolErrorsCodesById } = client;
  const name = protocolErrorsCodesById[code] ?? 'UNKNOWN';
  const text = serverMessage ?? protocolErrors[name]?.message ?? '';
  return text === '' ? `${name} (${code})` : `${name} (${code}): ${text.replace(/\.$/, '')}`;
}

/** Another broker leads the partition now, or will in a moment: a batch that is sent again finds it. */
export function isLeaderMove(code: number): boolean {
  return code === KafkaCode.leaderNotAvailable || code === KafkaCode.notLeaderOrFollower;
}

/** The error that ends the tunnel for a code with the fate `fatal`. */
export function fatalError(code: number, where: string, serverMessage?: string | null): KafkaTunnelError {
  return new KafkaTunnelError({
    code: authorizationCodes.has(code) ? 'KAFKA_NOT_AUTHORIZED' : 'KAFKA_REFUSED',
    message: `${where}: ${describeCode(code, serverMessage)}`,
    hint: cureOf(code),
  });
}

const authorizationCodes: ReadonlySet<number> = new Set([
  KafkaCode.topicAuthorizationFailed,
  KafkaCode.transactionalIdAuthorizationFailed,
]);

function cureOf(code: number): string {
  switch (code) {
    case KafkaCode.topicAuthorizationFailed:
      return 'give the user the right to Write and Describe on the topic (kafka-acls.sh --producer --topic)';
    case KafkaCode.clusterAuthorizationFailed:
      return 'give the user the right IdempotentWrite on the cluster, or Write on the topic with Kafka 2.8 or newer';
    case KafkaCode.transactionalIdAuthorizationFailed:
      return 'give the user the rights Write and Describe on the transactional id (kafka-acls.sh --producer --transactional-id), or set tunnel.kafka.delivery = at_least_once';
    case KafkaCode.invalidTimestamp:
      return 'records carry the time of their change: set message.timestamp.type=LogAppendTime on the topic, or widen message.timestamp.before.max.ms and message.timestamp.after.max.ms';
    case KafkaCode.unsupportedVersion:
      return 'Kafka 2.8 or newer is needed';
    case KafkaCode.unsupportedCompressionType:
      return 'set tunnel.kafka.compression to another value';
    case KafkaCode.invalidRecord:
      return 'a compacted topic takes only records with a key: set tunnel.kafka.partitioner = key with tunnel.message json or bson, or choose a topic with cleanup.policy=delete';
    case KafkaCode.invalidTopic:
      return 'the topic is the part of tunnel.address before the @';
    default:
      return "see the broker's log for the reason";
  }
}

/** A single record is longer than the broker takes, or than we may send. */
export function recordTooLarge(
  { ns, seconds, increment }: { ns: string; seconds: number; increment: number },
  limits: { bytes: number; topic: string; maxBytes: number; maxMessageBytes: number },
): KafkaTunnelError {
  const { bytes, topic, maxBytes, maxMessageBytes } = limits;
  const limit = bytes > maxBytes ? `the limit is ${maxBytes}` : 'which the broker refuses';
  const ofTopic = `max.message.bytes of topic ${topic} (kafka-configs.sh --alter --entity-type topics --entity-name ${topic} --add-config max.message.bytes=${bytes})`;
  const cure =
    bytes > maxMessageBytes
      ? `raise tunnel.kafka.producer.maxmessagebytes (now ${maxMessageBytes}), and if it is lower ${ofTopic}`
      : `raise ${ofTopic}`;
  return new KafkaTunnelError({
    code: 'KAFKA_RECORD_TOO_LARGE',
    message: `The record for ${ns} at ts ${seconds}:${increment} makes a batch of ${bytes} bytes, ${limit}`,
    hint: `${cure}; then start again, it goes on with this entry`,
  });
}
