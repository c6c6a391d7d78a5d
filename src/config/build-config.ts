import { deepFreeze } from '../shared/deep-freeze.ts';
import type {
  CheckpointConfig,
  Config,
  FilterConfig,
  KafkaConfig,
  MongoTlsConfig,
  SourceConfig,
  TunnelConfig,
  WorkersConfig,
} from './config.ts';
import { encodeMongoUrl } from './encode-mongo-url.ts';
import { parseKafkaAddress } from './kafka-address.ts';
import { logConfigOf } from './log-config.ts';
import { collectorOptions, type OptionValues } from './option-table.ts';
import { secretsOf } from './secrets-of.ts';
import { kafkaSaslOf } from './kafka-sasl-of.ts';
import { kafkaTlsOf } from './kafka-tls-of.ts';
import { socketTlsOf } from './socket-tls-of.ts';
import { parseSocketAddress, type SocketAddress } from './socket-address.ts';

/** Makes the grouped configuration out of values that have passed all checks. */
export function buildConfig(values: OptionValues): Config {
  const source = sourceOf(values);
  return deepFreeze({
    id: values.id,
    isElected: values.master_quorum,
    source,
    filter: filterOf(values),
    checkpoint: checkpointOf(values, source),
    workers: workersOf(values),
    tunnel: tunnelOf(values),
    http: { bind: values['http.bind'], port: values['incr_sync.http_port'] },
    log: logConfigOf(values),
    memoryLimitBytes: values['memory.limit'],
    values,
    secrets: secretsOf(collectorOptions, values),
  });
}

function sourceOf(values: OptionValues): SourceConfig {
  return {
    url: encodeMongoUrl(values.mongo_urls[0] ?? ''),
    tls: mongoTlsOf({
      caFile: values.mongo_ssl_root_ca_file,
      certificateKeyFile: values.mongo_ssl_client_cert_file,
      keyPassword: values.mongo_ssl_client_key_password,
      allowInvalidCertificates: values.mongo_ssl_allow_invalid_certificates,
    }),
    connectMode: values.mongo_connect_mode,
    readConcern: values['incr_sync.read_concern'],
    targetDelaySeconds: values['incr_sync.target_delay'],
  };
}

function filterOf(values: OptionValues): FilterConfig {
  return {
    deny: values['filter.namespace.black'],
    allow: values['filter.namespace.white'],
    passSpecialDbs: values['filter.pass.special.db'],
    ddlEnabled: values['filter.ddl_enable'],
    stripGids: values['filter.oplog.gids'],
    gids: values['incr_sync.oplog.gids'],
  };
}

function checkpointOf(values: OptionValues, source: SourceConfig): CheckpointConfig {
  const url = values['checkpoint.storage.url'];
  const tls = mongoTlsOf({
    caFile: values['checkpoint.storage.url.mongo_ssl_root_ca_file'],
    certificateKeyFile: values['checkpoint.storage.url.mongo_ssl_client_cert_file'],
    keyPassword: values['checkpoint.storage.url.mongo_ssl_client_key_password'],
    allowInvalidCertificates: values['checkpoint.storage.url.mongo_ssl_allow_invalid_certificates'],
  });
  return {
    storage: values['checkpoint.storage'],
    url: url === '' ? source.url : encodeMongoUrl(url),
    // The checkpoint beside the source is reached as the source is.
    tls: url === '' ? (tls ?? source.tls) : tls,
    db: values['checkpoint.storage.db'],
    collection: values['checkpoint.storage.collection'],
    startPositionSeconds: values['checkpoint.start_position'],
    intervalMs: values['checkpoint.interval'],
    maxAgeMs: values['checkpoint.max_age'],
  };
}

function workersOf(values: OptionValues): WorkersConfig {
  return {
    count: values['incr_sync.worker'],
    shardKey: values['incr_sync.shard_key'],
    shardByIdCollections: values['incr_sync.shard_by_object_id_whitelist'],
    threads: values['lanes.threads'] === 'auto' ? 'auto' : Number(values['lanes.threads']),
  };
}

function tunnelOf(values: OptionValues): TunnelConfig {
  const message = values['tunnel.message'];
  return {
    kind: values.tunnel,
    address: values['tunnel.address'][0] ?? '',
    receivers: receiversOf(values),
    tls: socketTlsOf(values),
    message,
    jsonFormat: values['tunnel.json.format'],
    // As in MongoShake: only raw messages say how they are compressed.
    compressor: message === 'raw' ? values['incr_sync.worker.oplog_compressor'] : 'none',
    kafka: values.tunnel === 'kafka' ? kafkaOf(values) : undefined,
    fileBytesMax: values['tunnel.file.max_size'],
  };
}

function receiversOf(values: OptionValues): SocketAddress[] {
  if (values.tunnel !== 'tcp' && values.tunnel !== 'rpc') return [];
  const portsAfter = values.tunnel === 'tcp' ? 1 : 0;
  const addresses = values['tunnel.address'].map((text) => parseSocketAddress(text, portsAfter));
  return addresses.filter((address) => typeof address !== 'string');
}

function kafkaOf(values: OptionValues): KafkaConfig | undefined {
  const address = parseKafkaAddress(values['tunnel.address'][0] ?? '');
  if (typeof address === 'string') return undefined;
  const partitionNumber = values['tunnel.kafka.partition_number'];
  const headers = values['tunnel.kafka.headers'];
  const isExactlyOnce = values['tunnel.kafka.delivery'] === 'exactly_once';
  return {
    ...address,
    clientId: values['tunnel.kafka.client_id'],
    partitionNumber,
    partitioner: values['tunnel.kafka.partitioner'],
    compression: values['tunnel.kafka.compression'],
    maxMessageBytes: values['tunnel.kafka.producer.maxmessagebytes'],
    headers: headers === 'true' || (headers === 'auto' && isExactlyOnce),
    exactlyOnce: isExactlyOnce
      ? {
          checkpointTopic: values['tunnel.kafka.checkpoint_topic'],
          transactionIntervalMs: values['tunnel.kafka.transaction_interval'],
        }
      : undefined,
    sasl: kafkaSaslOf(values),
    tls: kafkaTlsOf(values),
    topicCreation: {
      enabled: values['tunnel.kafka.topic.create'],
      partitions: values['tunnel.kafka.topic.partitions'] || partitionNumber,
      replicationFactor: values['tunnel.kafka.topic.replication_factor'] || undefined,
    },
  };
}

interface MongoTlsValues {
  readonly caFile: string;
  readonly certificateKeyFile: string;
  readonly keyPassword: string;
  readonly allowInvalidCertificates: boolean;
}

// Allowing invalid certificates alone does not turn TLS on: the URL may (`tls=true`), and then it holds.
function mongoTlsOf(values: MongoTlsValues): MongoTlsConfig | undefined {
  const { caFile, certificateKeyFile, keyPassword, allowInvalidCertificates } = values;
  if (caFile === '' && certificateKeyFile === '' && !allowInvalidCertificates) return undefined;
  return {
    caFile: caFile || undefined,
    certificateKeyFile: certificateKeyFile || undefined,
    keyPassword: keyPassword || undefined,
    allowInvalidCertificates,
  };
}
