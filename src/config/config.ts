import type { KafkaAddress } from './kafka-address.ts';
import type { OptionValues } from './option-table.ts';
import type { SocketAddress } from './socket-address.ts';

/** How to talk TLS to a MongoDB; undefined where the URL alone decides. */
export interface MongoTlsConfig {
  readonly caFile: string | undefined;
  /** PEM with certificate and key. */
  readonly certificateKeyFile: string | undefined;
  readonly keyPassword: string | undefined;
  readonly allowInvalidCertificates: boolean;
}

export interface SourceConfig {
  /** The replica set that is read, percent-encoded where needed. */
  readonly url: string;
  readonly tls: MongoTlsConfig | undefined;
  readonly connectMode: OptionValues['mongo_connect_mode'];
  readonly readConcern: OptionValues['incr_sync.read_concern'];
  readonly targetDelaySeconds: number;
}

export interface FilterConfig {
  /** `filter.namespace.black`: db or db.collection. */
  readonly deny: readonly string[];
  /** `filter.namespace.white`. */
  readonly allow: readonly string[];
  readonly passSpecialDbs: readonly string[];
  readonly ddlEnabled: boolean;
  /** Take the field g out of every entry. */
  readonly stripGids: boolean;
  /** Carry only entries with one of these; empty: all. */
  readonly gids: readonly string[];
}

export interface CheckpointConfig {
  readonly storage: OptionValues['checkpoint.storage'];
  /** MongoDB of the checkpoint: the source when nothing else is given. */
  readonly url: string;
  readonly tls: MongoTlsConfig | undefined;
  readonly db: string;
  /** The collection, or with storage `api` the HTTP address. */
  readonly collection: string;
  /** Unix seconds; 1 when the oplog is to be read from its beginning. */
  readonly startPositionSeconds: number;
  readonly intervalMs: number;
  /** 0: for ever. */
  readonly maxAgeMs: number;
}

export interface WorkersConfig {
  /** Number of lanes. */
  readonly count: number;
  readonly shardKey: OptionValues['incr_sync.shard_key'];
  readonly shardByIdCollections: readonly string[];
  /** `lanes.threads`. */
  readonly threads: number | 'auto';
}

/** How to log in to Kafka. */
export interface KafkaSaslConfig {
  readonly mechanism: OptionValues['tunnel.sasl.mechanism'];
  readonly username: string;
  readonly password: string;
}

export interface KafkaTlsConfig {
  readonly caFile: string | undefined;
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPassword: string | undefined;
  readonly allowInvalidCertificates: boolean;
}

/** `tunnel.tls.*`: how the two ends of the tunnels tcp and rpc prove who they are to each other. */
export interface SocketTlsConfig {
  /** PEM file of the authorities that the other end's certificate is checked against; undefined: those of Node.js. */
  readonly caFile: string | undefined;
  /** PEM files of our own certificate and its key; a receiver needs them. */
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly keyPassword: string | undefined;
  /** Take any certificate, or none. */
  readonly allowInvalidCertificates: boolean;
}

export interface KafkaExactlyOnceConfig {
  readonly checkpointTopic: string;
  readonly transactionIntervalMs: number;
}

export interface KafkaConfig extends KafkaAddress {
  readonly clientId: string;
  readonly partitionNumber: number;
  readonly partitioner: OptionValues['tunnel.kafka.partitioner'];
  readonly compression: OptionValues['tunnel.kafka.compression'];
  readonly maxMessageBytes: number;
  /** Each record says in headers where it comes from. */
  readonly headers: boolean;
  /** undefined: at least once. */
  readonly exactlyOnce: KafkaExactlyOnceConfig | undefined;
  readonly sasl: KafkaSaslConfig | undefined;
  readonly tls: KafkaTlsConfig | undefined;
  readonly topicCreation: {
    readonly enabled: boolean;
    readonly partitions: number;
    /** undefined: the broker's default. */
    readonly replicationFactor: number | undefined;
  };
}

export interface TunnelConfig {
  readonly kind: OptionValues['tunnel'];
  /** `tunnel.address`, its first item; empty for mock. */
  readonly address: string;
  /** The receivers of tcp and rpc: all items of `tunnel.address`. */
  readonly receivers: readonly SocketAddress[];
  /** Of tcp and rpc; undefined: plain. */
  readonly tls: SocketTlsConfig | undefined;
  readonly message: OptionValues['tunnel.message'];
  readonly jsonFormat: OptionValues['tunnel.json.format'];
  /** Compressor of each entry in a raw message; `none` for other messages. */
  readonly compressor: OptionValues['incr_sync.worker.oplog_compressor'];
  /** Present when `kind` is kafka. */
  readonly kafka: KafkaConfig | undefined;
  /** `tunnel.file.max_size`; 0: no limit. */
  readonly fileBytesMax: number;
}

export interface HttpConfig {
  readonly bind: string;
  readonly port: number;
}

export interface LogConfig {
  readonly level: OptionValues['log.level'];
  /** Empty: `logs` for the log, the working folder for the pid file. */
  readonly dir: string;
  readonly file: string;
  readonly flush: boolean;
  readonly format: OptionValues['log.format'];
  readonly fileBytesMax: number;
  readonly filesMax: number;
}

/** A checked configuration. Deeply frozen. */
export interface Config {
  readonly id: string;
  /** `master_quorum`: work only while elected. */
  readonly isElected: boolean;
  readonly source: SourceConfig;
  readonly filter: FilterConfig;
  readonly checkpoint: CheckpointConfig;
  readonly workers: WorkersConfig;
  readonly tunnel: TunnelConfig;
  readonly http: HttpConfig;
  readonly log: LogConfig;
  readonly memoryLimitBytes: number;
  /** Every key by its name in the file, for status pages. */
  readonly values: OptionValues;
  /** Passwords, as they were given and decoded, so that logs can hide them. */
  readonly secrets: readonly string[];
}
