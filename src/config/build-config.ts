import { deepFreeze } from '../shared/deep-freeze.ts';
import type {
  CheckpointConfig,
  Config,
  FilterConfig,
  KafkaConfig,
  KafkaSaslConfig,
  KafkaTlsConfig,
  LogConfig,
  MongoTlsConfig,
  SocketTlsConfig,
  SourceConfig,
  TunnelConfig,
  WorkersConfig,
} from './config.ts';
import { encodeMongoUrl } from './encode-mongo-url.ts';
import { parseKafkaAddress } from './kafka-address.ts';
import { optionKeys, optionOf, type OptionValues } from './option-table.ts';
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
    log: logOf(values),
    memoryLimitBytes: values['memory.limit'],
    values,
    secrets: secretsOf(values),
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

function socketTlsOf(values: OptionValues): SocketTlsConfig | undefined {
  const tls = {
    caFile: values['tunnel.tls.ca_file'] || undefined,
    certFile: values['tunnel.tls.cert_file'] || undefined,
    keyFile: values['tunnel.tls.key_file'] || undefined,
    keyPassword: values['tunnel.tls.key_password'] || undefined,
    allowInvalidCertificates: values['tunnel.tls.allow_invalid_certificates'],
  };
  const wanted = values['tunnel.tls.enable'] || tls.caFile !== undefined || tls.certFile !== undefined;
  return wanted ? tls : undefined;
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
    sasl: values['tunnel.kafka.sasl.enable'] ? kafkaSaslOf(values) : undefined,
    tls: kafkaTlsOf(values),
    topicCreation: {
      enabled: values['tunnel.kafka.topic.create'],
      partitions: values['tunnel.kafka.topic.partitions'] || partitionNumber,
      replicationFactor: values['tunnel.kafka.topic.replication_factor'] || undefined,
    },
  };
}

function kafkaSaslOf(values: OptionValues): KafkaSaslConfig {
  const auth = values['tunnel.kafka.sasl.auth'];
  const at = auth.indexOf('@');
  return {
    mechanism: values['tunnel.sasl.mechanism'],
    username: auth.slice(0, at),
    password: auth.slice(at + 1),
  };
}

function kafkaTlsOf(values: OptionValues): KafkaTlsConfig | undefined {
  const tls = {
    caFile: values['tunnel.kafka.tls.ca_file'] || values['tunnel.mongo_ssl_root_ca_file'] || undefined,
    certFile: values['tunnel.kafka.tls.cert_file'] || undefined,
    keyFile: values['tunnel.kafka.tls.key_file'] || undefined,
    keyPassword: values['tunnel.kafka.tls.key_password'] || undefined,
    allowInvalidCertificates: values['tunnel.kafka.tls.allow_invalid_certificates'],
  };
  const wanted = values['tunnel.kafka.tls.enable'] || tls.caFile !== undefined || tls.certFile !== undefined;
  return wanted ? tls : undefined;
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

function logOf(values: OptionValues): LogConfig {
  return {
    level: values['log.level'],
    dir: values['log.dir'],
    file: values['log.file'],
    flush: values['log.flush'],
    format: values['log.format'],
    fileBytesMax: values['log.max_size'],
    filesMax: values['log.max_files'],
  };
}

/** Secrets shorter than this would hide half of every log line. */
const secretLengthMin = 4;

function secretsOf(values: OptionValues): readonly string[] {
  const secrets = new Set<string>();
  for (const key of optionKeys) {
    const kind = optionOf(key).secret;
    for (const text of [values[key]].flat()) {
      if (kind === 'all') secrets.add(String(text));
      if (kind === 'sasl') secrets.add(String(text).slice(String(text).indexOf('@') + 1));
      if (kind === 'url') addUrlPassword(secrets, encodeMongoUrl(String(text)));
    }
  }
  return [...secrets].filter((secret) => secret.length >= secretLengthMin);
}

function addUrlPassword(secrets: Set<string>, url: string): void {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^:@/?]*:([^@/?]*)@/i.exec(url)?.[1];
  if (password === undefined) return;
  secrets.add(password);
  try {
    secrets.add(decodeURIComponent(password));
  } catch {
    // Not percent-encoded after all; the password as it stands is known already.
  }
}
