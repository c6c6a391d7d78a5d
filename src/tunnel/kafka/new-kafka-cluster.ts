import { connectionOptions } from './client/connection-options.ts';
import { KafkaCluster } from './client/kafka-cluster.ts';
import type { KafkaTunnelOptions } from './send/kafka-tunnel-options.ts';

/** A broker that gives no answer for so long is taken for dead, unless the options say otherwise. */
export const REQUEST_TIMEOUT_MS = 20_000;

/** The cluster that a tunnel writes to. @throws KafkaTunnelError naming a certificate or key that cannot be read */
export function newKafkaCluster(
  options: Pick<KafkaTunnelOptions, 'brokers' | 'sasl' | 'tls' | 'clientId' | 'logger'>,
  requestTimeoutMs = REQUEST_TIMEOUT_MS,
): KafkaCluster {
  const { brokers, logger } = options;
  return new KafkaCluster({ brokers, connection: connectionOptions(options, requestTimeoutMs), logger });
}
