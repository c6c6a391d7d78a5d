import { protocolErrors, protocolErrorsCodesById } from '@platformatic/kafka';
import { OplogueError } from '../../shared/errors.ts';

/** Kafka cannot take what we send, and only a person can help. */
export class KafkaTunnelError extends OplogueError {
  constructor(options: { code: string; message: string; hint: string; cause?: unknown }) {
    super({ retry: 'fatal', ...options });
  }
}

/** Error codes of the protocol that the tunnel tells apart (kafka.apache.org/protocol, "Error Codes"). */
export const KafkaCode = {
  none: 0,
  unknownTopicOrPartition: 3,
  messageTooLarge: 10,
  invalidTopic: 17,
  recordListTooLarge: 18,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedVersion: 35,
  topicAlreadyExists: 36,
  outOfOrderSequenceNumber: 45,
  duplicateSequenceNumber: 46,
  invalidProducerEpoch: 47,
  invalidProducerIdMapping: 49,
  unknownProducerId: 59,
  unsupportedCompressionType: 76,
  invalidRecord: 87,
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
  KafkaCode.topicAuthorizationFailed,
  KafkaCode.clusterAuthorizationFailed,
  KafkaCode.invalidTimestamp,
  KafkaCode.unsupportedVersion,
  37, // INVALID_PARTITIONS
  38, // INVALID_REPLICATION_FACTOR
  40, // INVALID_CONFIG
  42, // INVALID_REQUEST
  43, // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44, // POLICY_VIOLATION
  53, // TRANSACTIONAL_ID_AUTHORIZATION_FAILED
  58, // SASL_AUTHENTICATION_FAILED
  KafkaCode.unsupportedCompressionType,
  KafkaCode.invalidRecord,
  90, // PRODUCER_FENCED
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

/** `NOT_ENOUGH_REPLICAS (19): ...`, with what the broker says, if anything. */
export function describeCode(code: number, serverMessage?: string | null): string {
  const name = protocolErrorsCodesById[code] ?? 'UNKNOWN';
  const text = serverMessage ?? protocolErrors[name]?.message ?? '';
  return text === '' ? `${name} (${code})` : `${name} (${code}): ${text.replace(/\.$/, '')}`;
}

/** The error that ends the tunnel for a code with the fate `fatal`. */
export function fatalError(code: number, where: string, serverMessage?: string | null): KafkaTunnelError {
  return new KafkaTunnelError({
    code: code === KafkaCode.topicAuthorizationFailed ? 'KAFKA_NOT_AUTHORIZED' : 'KAFKA_REFUSED',
    message: `${where}: ${describeCode(code, serverMessage)}`,
    hint: cureOf(code),
  });
}

function cureOf(code: number): string {
  switch (code) {
    case KafkaCode.topicAuthorizationFailed:
      return 'give the user the right to Write and Describe on the topic (kafka-acls.sh --producer --topic)';
    case KafkaCode.clusterAuthorizationFailed:
      return 'give the user the right IdempotentWrite on the cluster, or Write on the topic with Kafka 2.8 or newer';
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
