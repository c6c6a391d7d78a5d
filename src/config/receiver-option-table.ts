import { OptionSet, type ValuesOf } from './option-set.ts';
import { processOptions } from './option-table-process.ts';
import { tunnelOptions } from './option-table-tunnel.ts';
import type { Option } from './option.ts';

/** Rows of collector.conf that receiver.conf has with the same meaning. */
const logOptions = {
  'log.level': processOptions['log.level'],
  'log.dir': processOptions['log.dir'],
  'log.file': { ...processOptions['log.file'], default: 'receiver.log', shipped: 'receiver.log' },
  'log.flush': processOptions['log.flush'],
  'log.format': processOptions['log.format'],
  'log.max_size': processOptions['log.max_size'],
  'log.max_files': processOptions['log.max_files'],
} as const satisfies Record<string, Option>;

const securityOptions = {
  'tunnel.tls.enable': {
    ...tunnelOptions['tunnel.tls.enable'],
    text: 'tunnel = tcp or rpc: talk TLS to collectors of Oplogue that have it enabled too; both ends show a certificate. Any of the TLS files below turns it on.',
  },
  'tunnel.tls.ca_file': {
    ...tunnelOptions['tunnel.tls.ca_file'],
    text: "PEM file with the certificate authorities that the collectors' certificates are checked against. Empty: those of Node.js.",
  },
  'tunnel.tls.cert_file': {
    ...tunnelOptions['tunnel.tls.cert_file'],
    text: 'PEM file with our own certificate; TLS needs it.',
  },
  'tunnel.tls.key_file': tunnelOptions['tunnel.tls.key_file'],
  'tunnel.tls.key_password': tunnelOptions['tunnel.tls.key_password'],
  'tunnel.tls.allow_invalid_certificates': tunnelOptions['tunnel.tls.allow_invalid_certificates'],
  'tunnel.mongo_ssl_root_ca_file': {
    ...tunnelOptions['tunnel.mongo_ssl_root_ca_file'],
    since: 'oplogue',
    text: "As tunnel.kafka.tls.ca_file; here so that a collector's lines can be copied.",
  },
  'tunnel.kafka.client_id': { ...tunnelOptions['tunnel.kafka.client_id'], default: 'oplogue-receiver' },
  'tunnel.kafka.sasl.enable': tunnelOptions['tunnel.kafka.sasl.enable'],
  'tunnel.kafka.sasl.auth': tunnelOptions['tunnel.kafka.sasl.auth'],
  'tunnel.sasl.mechanism': tunnelOptions['tunnel.sasl.mechanism'],
  'tunnel.kafka.tls.enable': tunnelOptions['tunnel.kafka.tls.enable'],
  'tunnel.kafka.tls.ca_file': tunnelOptions['tunnel.kafka.tls.ca_file'],
  'tunnel.kafka.tls.cert_file': tunnelOptions['tunnel.kafka.tls.cert_file'],
  'tunnel.kafka.tls.key_file': tunnelOptions['tunnel.kafka.tls.key_file'],
  'tunnel.kafka.tls.key_password': tunnelOptions['tunnel.kafka.tls.key_password'],
  'tunnel.kafka.tls.allow_invalid_certificates': tunnelOptions['tunnel.kafka.tls.allow_invalid_certificates'],
} as const satisfies Record<string, Option>;

/** Keys of receiver.conf: MongoShake 2.8.4 has eight of them. */
const receiverOptionTable = {
  id: {
    section: 'process',
    type: 'string',
    default: 'receiver',
    since: 'oplogue',
    text: 'Name of this receiver: names the consumer group where none is named.',
  },
  system_profile_port: {
    section: 'process',
    type: 'int',
    default: -1,
    max: 65535,
    goName: 'SystemProfilePort',
    since: '2.8.4',
    inner: true,
    ignored: "it is the port of Go's profiler, and this is not Go",
    text: "Port of Go's profiler in MongoShake.",
  },
  tunnel: {
    section: 'tunnel',
    type: 'string',
    default: 'rpc',
    allowed: ['rpc', 'tcp', 'file', 'kafka', 'mock'],
    goName: 'Tunnel',
    since: '2.8.4',
    text: 'Where the entries come from: the same word as in the configuration of the collector. mock: made-up entries, to try a replayer.',
  },
  'tunnel.address': {
    section: 'tunnel',
    type: 'string',
    default: '',
    shipped: '127.0.0.1:3999',
    goName: 'TunnelAddress',
    since: '2.8.4',
    text: 'rpc and tcp: host:port to listen on; tcp uses the next port too. file: the path that the collector writes. kafka: topic@broker1:9092,broker2:9092.',
  },
  'tunnel.message': {
    section: 'tunnel',
    type: 'string',
    default: 'auto',
    allowed: ['auto', 'raw', 'bson', 'json'],
    since: 'oplogue',
    text: 'tunnel = kafka or file: form of a message. auto: found out for each message.',
  },
  'tunnel.restart_file': {
    section: 'tunnel',
    type: 'string',
    default: '',
    since: 'oplogue',
    text: 'tunnel = tcp or rpc: file that tells a receiver, when it starts, that it has taken entries before; then it asks each worker of a MongoShake collector once for what may have been lost. Empty: in log.dir, named after the id and the port.',
  },
  'tunnel.kafka.group': {
    section: 'kafka',
    type: 'string',
    default: '',
    since: 'oplogue',
    text: 'Consumer group: receivers of the same group share the partitions. Empty: oplogue- and the id.',
  },
  'tunnel.file.position': {
    section: 'file',
    type: 'string',
    default: '',
    since: 'oplogue',
    text: 'File that remembers how far tunnel.address has been read. Empty: tunnel.address with .position behind it.',
  },
  replayer: {
    section: 'replayer',
    type: 'int',
    default: 1,
    min: 1,
    max: 256,
    meansDefault: 'zero and below',
    shipped: '8',
    goName: 'ReplayerNum',
    since: '2.8.4',
    text: 'How many replayers work side by side. Entries of one worker of the collector stay in order; more replayers than the collector has workers (or the topic partitions) have nothing to do.',
  },
  'replayer.module': {
    section: 'replayer',
    type: 'string',
    default: 'print',
    since: 'oplogue',
    text: 'What is done with the entries. print: one line of JSON each, on standard output. file: the same, into replayer.output. mongodb: applied to the deployment of replayer.mongo_url. A path such as ./my-replayer.js: your own module; docs/receiver.md shows one.',
  },
  'replayer.output': {
    section: 'replayer',
    type: 'string',
    default: 'entries.jsonl',
    since: 'oplogue',
    text: 'replayer.module = file: where the lines go.',
  },
  'replayer.mongo_url': {
    section: 'replayer',
    type: 'string',
    default: '',
    since: 'oplogue',
    secret: 'url',
    text: 'replayer.module = mongodb: the URL of the target, a replica set (mongodb://user:password@host1:27017,host2:27017/?replicaSet=rs1). For TLS add tls=true, and tlsCAFile and tlsCertificateKeyFile with the paths of PEM files.',
  },
  'replayer.argument': {
    section: 'replayer',
    type: 'string',
    default: '',
    since: 'oplogue',
    text: 'Text that is handed to your own module when it is opened.',
  },
  'replayer.batch_size': {
    section: 'replayer',
    type: 'int',
    default: 1000,
    min: 1,
    max: 1_000_000,
    since: 'oplogue',
    text: 'Most entries that a replayer is given at once.',
  },
  'replayer.retries': {
    section: 'replayer',
    type: 'int',
    default: 10,
    min: 0,
    max: 1_000_000,
    since: 'oplogue',
    text: 'How often a batch that a replayer rejects is given to it again, with growing pauses from 100 ms to 10 s, before replayer.on_error counts.',
  },
  'replayer.on_error': {
    section: 'replayer',
    type: 'string',
    default: 'stop',
    allowed: ['stop', 'skip', 'dead_letter'],
    since: 'oplogue',
    text: 'What becomes of an entry that a replayer keeps rejecting, or of a message that cannot be read. stop: the receiver ends, and begins with it next time. skip: it is left out, with an error in the log. dead_letter: it is written to replayer.dead_letter, and left out.',
  },
  'replayer.dead_letter': {
    section: 'replayer',
    type: 'string',
    default: 'dead-letter.jsonl',
    since: 'oplogue',
    text: 'File for replayer.on_error = dead_letter: one line of JSON for each entry, with the error and the bytes.',
  },
  'memory.limit': {
    ...processOptions['memory.limit'],
    text: 'How many bytes of messages may wait for the replayers. When they are full, nothing more is read.',
  },
  'http.port': {
    section: 'http',
    type: 'int',
    default: 0,
    min: 0,
    max: 65535,
    since: 'oplogue',
    text: 'Port of the REST pages /status, /repl, /replayer, /healthz and of /metrics; 0: none, as in MongoShake.',
  },
  'http.bind': {
    ...processOptions['http.bind'],
    text: 'Address that the REST pages listen on. They need no login, so 0.0.0.0 is for closed networks only.',
  },
  ...logOptions,
  ...securityOptions,
} as const satisfies Record<string, Option>;

/** The name of a key of receiver.conf. */
export type ReceiverOptionKey = keyof typeof receiverOptionTable;

/** A value for every key of receiver.conf. */
export type ReceiverOptionValues = ValuesOf<typeof receiverOptionTable>;

/** The keys of receiver.conf. */
export const receiverOptions = new OptionSet<typeof receiverOptionTable>({
  table: receiverOptionTable,
  former: { oldKeys: {}, oldValues: {}, removedKeys: {} },
  page: 'docs/receiver-configuration.md',
});
