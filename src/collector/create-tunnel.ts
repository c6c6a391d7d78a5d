import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import type { Config, KafkaConfig, KafkaTlsConfig, TunnelConfig } from '../config/config.ts';
import { createEntryEncoder } from '../message/create-entry-encoder.ts';
import { must } from '../shared/assert.ts';
import { OplogueError } from '../shared/errors.ts';
import type { Logger } from '../shared/logger.ts';
import type { MemoryBudget } from '../shared/memory-budget.ts';
import { FileTunnel } from '../tunnel/file/file-tunnel.ts';
import { KafkaTunnel } from '../tunnel/kafka/kafka-tunnel.ts';
import type { KafkaMessage } from '../tunnel/kafka/kafka-tunnel-options.ts';
import { MockTunnel } from '../tunnel/mock/mock-tunnel.ts';
import type { Tunnel } from '../tunnel/tunnel.ts';

interface TunnelDependencies {
  readonly budget: MemoryBudget;
  readonly logger: Logger;
}

/** The tunnel that `tunnel`, `tunnel.address` and `tunnel.message` ask for. */
export function createTunnel(config: Config, dependencies: TunnelDependencies): Tunnel {
  const { tunnel } = config;
  const lanes = config.workers.count;
  switch (tunnel.kind) {
    case 'kafka': {
      const kafka = must(tunnel.kafka, 'the configuration has no part for kafka');
      return createKafkaTunnel(tunnel, kafka, { ...dependencies, lanes });
    }
    case 'file':
      return new FileTunnel({
        path: tunnel.address,
        lanes,
        message: tunnel.message,
        jsonFormat: tunnel.jsonFormat,
        compressor: tunnel.compressor,
        maxFileBytes: tunnel.fileBytesMax,
        ...dependencies,
      });
    case 'mock':
      return new MockTunnel({ lanes, ...dependencies });
    default:
      throw new OplogueError({
        code: 'TUNNEL_NOT_BUILT',
        message: `tunnel = ${tunnel.kind} is not built yet`,
        hint: 'use kafka, file or mock',
      });
  }
}

function createKafkaTunnel(
  tunnel: TunnelConfig,
  kafka: KafkaConfig,
  dependencies: TunnelDependencies & { lanes: number },
): KafkaTunnel {
  const { topicCreation } = kafka;
  return new KafkaTunnel({
    brokers: kafka.brokers,
    topic: kafka.topic,
    message: kafkaMessage(tunnel),
    partitioner: kafka.partitioner,
    partitionNumber: kafka.partitionNumber,
    createTopic: topicCreation.enabled
      ? {
          partitions: topicCreation.partitions,
          ...(topicCreation.replicationFactor === undefined
            ? {}
            : { replicationFactor: topicCreation.replicationFactor }),
        }
      : undefined,
    maxMessageBytes: kafka.maxMessageBytes === 0 ? undefined : kafka.maxMessageBytes,
    compression: kafka.compression,
    tls: kafka.tls === undefined ? undefined : kafkaTls(kafka.tls),
    sasl: kafka.sasl,
    clientId: kafka.clientId,
    ...dependencies,
  });
}

function kafkaMessage(tunnel: TunnelConfig): KafkaMessage {
  const { message, jsonFormat, compressor } = tunnel;
  if (message === 'raw') return { kind: 'raw', compressor };
  return { kind: 'entry', newEncoder: () => createEntryEncoder({ message, jsonFormat }) };
}

function kafkaTls(tls: KafkaTlsConfig): ConnectionOptions {
  return {
    ...(tls.caFile === undefined ? {} : { ca: readPem(tls.caFile, 'tunnel.kafka.tls.ca_file') }),
    ...(tls.certFile === undefined ? {} : { cert: readPem(tls.certFile, 'tunnel.kafka.tls.cert_file') }),
    ...(tls.keyFile === undefined ? {} : { key: readPem(tls.keyFile, 'tunnel.kafka.tls.key_file') }),
    ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword }),
    rejectUnauthorized: !tls.allowInvalidCertificates,
  };
}

function readPem(path: string, key: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new OplogueError({
      code: 'TLS_FILE',
      message: `The file ${path} of ${key} cannot be read`,
      hint: 'check the path and the rights of the file',
      cause: error,
    });
  }
}
