import { accessSync, constants } from 'node:fs';
import { maskUrl } from '../shared/mask-url.ts';
import type { ConfigMistake, ConfigMistakeKind } from './config-error.ts';
import { parseKafkaAddress } from './kafka-address.ts';
import type { Notice } from './notice.ts';
import type { OptionKey, OptionValues } from './option-table.ts';
import { parseSocketAddress } from './socket-address.ts';

/** Lowest `conf.version` that is understood; MongoShake raises it when it renames keys. */
const confVersionMin = 10;
const mongoUrlPattern = /^mongodb(\+srv)?:\/\/[^/?]/i;
const kafkaLoginPattern = /^[^@]+@./;
const kafkaTopicPattern = /^[A-Za-z0-9._-]{1,249}$/;

const LANE_THREADS_MAX = 16;

/** What the rules look at, and what they say. */
interface Checking {
  readonly values: OptionValues;
  /** Where a key was given; undefined when it was not. */
  readonly whereOf: (key: OptionKey) => string | undefined;
  readonly mistakes: ConfigMistake[];
  readonly notices: Notice[];
}

/** Checks what concerns several keys at once, or a form that no type has. */
export function checkRules(
  options: Pick<Checking, 'values' | 'whereOf'>,
): Pick<Checking, 'mistakes' | 'notices'> {
  const checking: Checking = { ...options, mistakes: [], notices: [] };
  checkProcess(checking);
  checkSource(checking);
  checkCheckpoint(checking);
  checkTunnel(checking);
  if (checking.values.tunnel === 'kafka') checkKafka(checking);
  else checkDelivery(checking);
  checkReceivers(checking);
  checkWorkers(checking);
  checkFiles(checking);
  return checking;
}

/**
 * MongoShake's rule for `conf.version`.
 * @param version undefined when there is a file and it does not say.
 */
export function checkConfVersion(
  version: number | undefined,
  where: string | undefined,
): ConfigMistake | undefined {
  if (version !== undefined && version >= confVersionMin) return undefined;
  return {
    kind: 'version',
    where,
    text: `current required configuration version[${confVersionMin}] > input[${version ?? 0}]`,
    hint:
      version === undefined
        ? `add the line conf.version = ${confVersionMin}`
        : `this is a configuration of an older MongoShake: set conf.version = ${confVersionMin} and start again, every key that has changed will be named`,
  };
}

interface Report {
  readonly key: OptionKey;
  readonly text: string;
  readonly hint?: string;
  readonly kind?: ConfigMistakeKind;
}

function report({ mistakes, whereOf }: Checking, { key, text, hint, kind = 'check' }: Report): void {
  mistakes.push({ kind, key, where: whereOf(key), text, hint });
}

function checkProcess(checking: Checking): void {
  const { values, notices } = checking;
  if (/[/\\]/.test(values.id)) {
    report(checking, {
      key: 'id',
      text: `id = ${values.id} is not allowed`,
      hint: 'it names the pid file, so it has no slash',
    });
  }
  if (values['incr_sync.http_port'] === values['full_sync.http_port']) {
    const text = `full_sync.http_port should not equal to incr_sync.http_port (both are ${values['incr_sync.http_port']})`;
    report(checking, { key: 'incr_sync.http_port', text, hint: 'give one of them another port' });
  }
  if (!['127.0.0.1', 'localhost', '::1'].includes(values['http.bind'])) {
    const text = `The REST pages need no login and can be reached from other machines (http.bind = ${values['http.bind']})`;
    notices.push({ level: 'warn', text });
  }
}

function checkSource(checking: Checking): void {
  const { values } = checking;
  const urls = values.mongo_urls;
  if (urls.length === 0 && values.mongo_s_url === '') {
    const text = 'mongo_s_url and mongo_urls cannot be empty at the same time';
    report(checking, {
      key: 'mongo_urls',
      text,
      hint: 'give the replica set to read, mongo_urls = mongodb://host:27017',
    });
  } else if (urls.length === 0) {
    const text = 'mongo_s_url without mongo_urls needs reading a change stream, which is not built yet';
    report(checking, { key: 'mongo_s_url', text, hint: 'give the replica set in mongo_urls' });
  }
  const isTorn = urls.some((url) => !mongoUrlPattern.test(url));
  if (urls.length > 1 && !isTorn) {
    const text = `mongo_urls has ${urls.length} replica sets; a sharded source is not built yet`;
    const hint =
      'run one collector for each, with its own id, port and checkpoint.storage.collection; members of one replica set are divided by commas';
    report(checking, { key: 'mongo_urls', text, hint });
  }
  if (new Set(urls).size < urls.length) {
    report(checking, {
      key: 'mongo_urls',
      text: 'mongo urls were duplicated',
      hint: 'name each replica set once',
    });
  }
  for (const url of urls) checkMongoUrl(checking, 'mongo_urls', url);
  const { 'filter.namespace.black': black, 'filter.namespace.white': white } = values;
  if (black.length > 0 && white.length > 0) {
    const text = 'at most one of {filter.namespace.black, filter.namespace.white} can be given';
    report(checking, { key: 'filter.namespace.black', text, hint: 'empty one of them' });
  }
}

function checkMongoUrl(checking: Checking, key: OptionKey, url: string): void {
  if (mongoUrlPattern.test(url)) return;
  // What stands before the @ may be the end of a password that a semicolon has torn.
  const shown = url.includes('://') ? maskUrl(url) : url.replace(/^.*@/s, '***@');
  report(checking, {
    key,
    text: `${key} = ${shown} is not a MongoDB URL`,
    hint: 'it begins with mongodb:// or mongodb+srv://; write ; in a password as %3B',
  });
}

function checkCheckpoint(checking: Checking): void {
  const { values } = checking;
  const url = values['checkpoint.storage.url'];
  if (url !== '') checkMongoUrl(checking, 'checkpoint.storage.url', url);
  if (values.master_quorum && values['checkpoint.storage'] !== 'database') {
    report(checking, {
      key: 'master_quorum',
      text: "context storage should set to 'database' while master election enabled",
      hint: 'set checkpoint.storage = database: the election is held there, and an HTTP store cannot refuse a collector that was replaced',
    });
  }
  const address = values['checkpoint.storage.collection'];
  if (values['checkpoint.storage'] === 'api' && !/^https?:\/\/[^/]/i.test(address)) {
    const text = `checkpoint.storage = api needs a URL in checkpoint.storage.collection, not ${maskUrl(address)}`;
    report(checking, {
      key: 'checkpoint.storage.collection',
      text,
      hint: 'for example http://127.0.0.1:8080/checkpoint',
    });
  }
}

function checkTunnel(checking: Checking): void {
  const { values, whereOf, notices } = checking;
  if (values.tunnel === 'direct' && whereOf('tunnel') === undefined) {
    const text =
      'tunnel is not given, and its default, direct, needs writing into a MongoDB, which is not built yet';
    report(checking, { key: 'tunnel', text, hint: 'add tunnel = kafka' });
  }
  if (values['tunnel.address'].length === 0 && values.tunnel !== 'mock') {
    const text = "tunnel.address shouldn't be empty when tunnel != 'mock'";
    report(checking, {
      key: 'tunnel.address',
      text,
      hint: 'for kafka it looks like topic@broker1:9092,broker2:9092',
    });
  }
  if (values['tunnel.message'] !== 'raw' && values['incr_sync.worker.oplog_compressor'] !== 'none') {
    const text = `incr_sync.worker.oplog_compressor has no effect with tunnel.message = ${values['tunnel.message']}; tunnel.kafka.compression works with every message`;
    notices.push({ level: 'info', text });
  }
}

function checkReceivers(checking: Checking): void {
  const { values } = checking;
  if (values.tunnel !== 'tcp' && values.tunnel !== 'rpc') return;
  for (const address of values['tunnel.address']) {
    const parsed = parseSocketAddress(address, values.tunnel === 'tcp' ? 1 : 0);
    if (typeof parsed !== 'string') continue;
    const text = `tunnel.address = ${maskUrl(address)}: ${parsed}`;
    report(checking, { key: 'tunnel.address', text, hint: 'it looks like 192.168.0.5:8000' });
  }
}

function checkKafka(checking: Checking): void {
  const { values, notices } = checking;
  const [address] = values['tunnel.address'];
  const parsed = address === undefined ? undefined : parseKafkaAddress(address);
  if (typeof parsed === 'string') {
    const text = `tunnel.address = ${maskUrl(address ?? '')}: ${parsed}`;
    report(checking, { key: 'tunnel.address', text, hint: 'it looks like topic@broker1:9092,broker2:9092' });
  }
  const { 'tunnel.kafka.partition_number': partitions, 'incr_sync.worker': workers } = values;
  if (values['tunnel.kafka.partitioner'] === 'worker' && partitions > workers) {
    const text = `tunnel.kafka.partition[${partitions}] number should <= incr_sync.worker number[${workers}]`;
    report(checking, {
      key: 'tunnel.kafka.partition_number',
      text,
      hint: 'raise incr_sync.worker, or set tunnel.kafka.partitioner = key',
    });
  }
  if (values['tunnel.kafka.delivery'] === 'exactly_once') checkCheckpointTopic(checking, parsed);
  const auth = values['tunnel.kafka.sasl.auth'];
  if (values['tunnel.kafka.sasl.enable'] && !kafkaLoginPattern.test(auth)) {
    const text = 'tunnel.kafka.sasl.enable = true needs tunnel.kafka.sasl.auth';
    report(checking, { key: 'tunnel.kafka.sasl.auth', text, hint: 'write user@password' });
  } else if (!values['tunnel.kafka.sasl.enable'] && auth !== '') {
    notices.push({
      level: 'warn',
      text: 'tunnel.kafka.sasl.auth has no effect without tunnel.kafka.sasl.enable = true',
    });
  }
  if ((values['tunnel.kafka.tls.cert_file'] === '') !== (values['tunnel.kafka.tls.key_file'] === '')) {
    const text = 'tunnel.kafka.tls.cert_file and tunnel.kafka.tls.key_file belong together';
    report(checking, { key: 'tunnel.kafka.tls.cert_file', text, hint: 'give both or none' });
  }
}

function checkDelivery(checking: Checking): void {
  const key = 'tunnel.kafka.delivery';
  const { [key]: delivery, tunnel } = checking.values;
  if (delivery !== 'exactly_once') return;
  const text = `${key} = exactly_once is for tunnel = kafka, not for ${tunnel}`;
  report(checking, { key, text, hint: 'remove the line' });
}

function checkCheckpointTopic(
  checking: Checking,
  address: ReturnType<typeof parseKafkaAddress> | undefined,
): void {
  const key = 'tunnel.kafka.checkpoint_topic';
  const topic = checking.values[key];
  if (!kafkaTopicPattern.test(topic)) {
    const text = `${key} = ${topic} is no name of a topic`;
    report(checking, {
      key,
      text,
      hint: 'letters, digits, dot, underscore and hyphen, at most 249 characters',
    });
  } else if (typeof address === 'object' && address.topic === topic) {
    const text = `${key} = ${topic} is the topic of the messages too`;
    report(checking, { key, text, hint: 'it needs a topic of its own' });
  }
}

function checkWorkers(checking: Checking): void {
  const { values } = checking;
  const { 'incr_sync.worker': workers, 'incr_sync.tunnel.write_thread': writers } = values;
  if (writers % workers !== 0) {
    const text = `incr_sync.tunnel.write_thread[${writers}] must be an integer multiple of incr_sync.worker[${workers}]`;
    report(checking, { key: 'incr_sync.tunnel.write_thread', text, hint: 'remove the line' });
  }
  const list = values['incr_sync.shard_by_object_id_whitelist'];
  if (list.length > 0 && values['incr_sync.shard_key'] !== 'collection') {
    const text =
      "incr_sync.shard_by_object_id_whitelist should only be set when 'incr_sync.shard_key == collection'";
    report(checking, { key: 'incr_sync.shard_by_object_id_whitelist', text, hint: 'empty it' });
  }
  checkLaneThreads(checking);
}

function checkLaneThreads(checking: Checking): void {
  const { values, notices } = checking;
  const threads = values['lanes.threads'];
  if (threads === 'auto') return;
  if (!/^\d+$/.test(threads) || Number(threads) > LANE_THREADS_MAX) {
    report(checking, {
      key: 'lanes.threads',
      text: `lanes.threads = ${threads} is not allowed`,
      hint: `it takes auto, or a number from 0 to ${LANE_THREADS_MAX}`,
      kind: 'parse',
    });
  } else if (Number(threads) > 0 && (values.tunnel !== 'kafka' || values['tunnel.message'] === 'raw')) {
    const text = `lanes.threads = ${threads} has no effect: threads encode json and bson for kafka`;
    notices.push({ level: 'info', text });
  }
}

function checkFiles(checking: Checking): void {
  const keys = [
    'mongo_ssl_root_ca_file',
    'mongo_ssl_client_cert_file',
    'checkpoint.storage.url.mongo_ssl_root_ca_file',
    'checkpoint.storage.url.mongo_ssl_client_cert_file',
    'tunnel.mongo_ssl_root_ca_file',
    'tunnel.kafka.tls.ca_file',
    'tunnel.kafka.tls.cert_file',
    'tunnel.kafka.tls.key_file',
  ] as const;
  for (const key of keys) {
    const path = checking.values[key];
    if (path === '') continue;
    try {
      accessSync(path, constants.R_OK);
    } catch {
      const text = `${key} = ${path}: the file cannot be read`;
      report(checking, { key, text, hint: `the path is relative to ${process.cwd()}` });
    }
  }
  for (const key of [
    'mongo_ssl_allow_invalid_certificates',
    'checkpoint.storage.url.mongo_ssl_allow_invalid_certificates',
    'tunnel.kafka.tls.allow_invalid_certificates',
  ] as const) {
    if (checking.values[key]) {
      checking.notices.push({
        level: 'warn',
        text: `Certificates are not verified (${key} = true): anyone on the way can read along`,
      });
    }
  }
}
