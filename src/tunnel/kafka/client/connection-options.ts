import { readFileSync } from 'node:fs';
import type { ConnectionOptions as NodeTlsOptions } from 'node:tls';
import type { KafkaConfig, KafkaTlsConfig } from '../../../config/config.ts';
import type { BrokerConnectionOptions } from './broker-connection.ts';
import { KafkaTunnelError } from './kafka-error.ts';

const CONNECT_TIMEOUT_MS = 5000;

/**
 * How to reach the brokers that the configuration names. Reads the files of certificates and keys.
 * @throws KafkaTunnelError naming a file that cannot be read
 */
export function connectionOptions(
  config: Pick<KafkaConfig, 'sasl' | 'tls' | 'clientId'>,
  requestTimeoutMs: number,
): BrokerConnectionOptions {
  const { sasl, tls, clientId } = config;
  return {
    clientId,
    tls: tls === undefined ? undefined : tlsOptions(tls),
    sasl,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    requestTimeoutMs,
  };
}

function tlsOptions(tls: KafkaTlsConfig): NodeTlsOptions {
  const { caFile, certFile, keyFile, keyPassword } = tls;
  return {
    rejectUnauthorized: !tls.allowInvalidCertificates,
    ...(caFile === undefined ? {} : { ca: read(caFile) }),
    ...(certFile === undefined ? {} : { cert: read(certFile) }),
    ...(keyFile === undefined ? {} : { key: read(keyFile) }),
    ...(keyPassword === undefined ? {} : { passphrase: keyPassword }),
  };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new KafkaTunnelError({
      code: 'KAFKA_TLS_FILE',
      message: `The TLS file ${file} cannot be read`,
      hint: 'check the path and the rights of the tunnel.kafka.tls.* files',
      cause,
    });
  }
}
