import { describeCode, fatalError, KafkaCode, KafkaTunnelError } from './kafka-error.ts';

/** The error that ends a reader for a code with the fate `fatal`; the cures of {@link fatalError} are those of a producer. */
export function readRefused(code: number, where: string): KafkaTunnelError {
  const hint = cures.get(code);
  if (hint === undefined) return fatalError(code, where);
  return new KafkaTunnelError({
    code: authorizationCodes.has(code) ? 'KAFKA_NOT_AUTHORIZED' : 'KAFKA_REFUSED',
    message: `${where}: ${describeCode(code)}`,
    hint,
  });
}

const authorizationCodes: ReadonlySet<number> = new Set([
  KafkaCode.topicAuthorizationFailed,
  KafkaCode.groupAuthorizationFailed,
]);

const cures: ReadonlyMap<number, string> = new Map([
  [
    KafkaCode.topicAuthorizationFailed,
    'give the user the rights Read and Describe on the topic (kafka-acls.sh --consumer --topic --group)',
  ],
  [
    KafkaCode.groupAuthorizationFailed,
    'give the user the right Read on the consumer group (kafka-acls.sh --consumer --topic --group)',
  ],
  [
    KafkaCode.inconsistentGroupProtocol,
    'another kind of consumer uses this group: choose another id for the group',
  ],
  [
    KafkaCode.invalidSessionTimeout,
    'let group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers allow 10 seconds',
  ],
]);
