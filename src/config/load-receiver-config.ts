import { dirname, join, resolve } from 'node:path';
import { deepFreeze } from '../shared/deep-freeze.ts';
import { ConfigError, type ConfigMistake } from './config-error.ts';
import { encodeMongoUrl } from './encode-mongo-url.ts';
import { gatherValues, type ConfigSources } from './given-value.ts';
import { logConfigOf } from './log-config.ts';
import type { Notice } from './notice.ts';
import { parseKafkaAddress } from './kafka-address.ts';
import { readValuesOf, type ReadValues } from './read-values.ts';
import type { ReceiverConfig, ReceiverTunnelConfig, ReplayerConfig } from './receiver-config.ts';
import {
  receiverOptions,
  type ReceiverOptionKey,
  type ReceiverOptionValues,
} from './receiver-option-table.ts';
import { secretsOf } from './secrets-of.ts';
import { parseSocketAddress } from './socket-address.ts';
import { kafkaSaslOf } from './kafka-sasl-of.ts';
import { kafkaTlsOf } from './kafka-tls-of.ts';
import { socketTlsOf } from './socket-tls-of.ts';

/** A receiver's configuration that can be used, and what the user should hear about it. */
export interface LoadedReceiverConfig {
  readonly config: ReceiverConfig;
  readonly notices: readonly Notice[];
}

type Read = ReadValues<ReceiverOptionKey, ReceiverOptionValues>;
interface Mistake {
  readonly key: ReceiverOptionKey;
  readonly text: string;
  readonly hint: string;
}

const SHIPPED_REPLAYERS: ReadonlySet<string> = new Set(['print', 'file', 'mongodb']);

/**
 * Reads a receiver.conf as `loadConfig` reads a collector.conf: defaults, file, environment, `--set`.
 * @throws ConfigError with every mistake at once.
 */
export function loadReceiverConfig(sources: ConfigSources): LoadedReceiverConfig {
  const given = gatherValues(sources, receiverOptions);
  const read = readValuesOf(receiverOptions, given, sources.file);
  const mistakes: ConfigMistake[] = [...given.mistakes, ...read.mistakes];
  const saysNothing = given.values.size === 0 || mistakes.some(({ kind }) => kind === 'open');
  if (given.values.size === 0 && mistakes.length === 0) {
    const hint = 'give the path of a receiver.conf with -conf=FILE';
    mistakes.push({ kind: 'open', text: 'there is no configuration', hint });
  }
  const tunnel = tunnelOf(read.values);
  if (!saysNothing) {
    const wrongKeys = new Set(read.mistakes.map(({ key }) => key));
    const rules = [...('key' in tunnel ? [tunnel] : []), ...ruleMistakes(read.values)];
    mistakes.push(...rules.filter(({ key }) => !wrongKeys.has(key)).map((mistake) => placed(mistake, read)));
  }
  if (mistakes.length > 0 || 'key' in tunnel) throw new ConfigError(mistakes);
  const { values } = read;
  const port = values['http.port'];
  const config = deepFreeze({
    id: values.id,
    tunnel,
    replayer: replayerOf(values, sources.file),
    memoryLimitBytes: values['memory.limit'],
    http: port === 0 ? undefined : { bind: values['http.bind'], port },
    log: logConfigOf(values),
    secrets: secretsOf(receiverOptions, values),
  });
  return { config, notices: [...given.notices, ...read.notices] };
}

function placed({ key, text, hint }: Mistake, { whereOf }: Read): ConfigMistake {
  return { kind: 'check', key, where: whereOf(key), text, hint };
}

function tunnelOf(values: ReceiverOptionValues): ReceiverTunnelConfig | Mistake {
  const { tunnel: kind, 'tunnel.address': address, 'tunnel.message': message } = values;
  if (kind === 'mock') return { kind };
  if (address === '') {
    const hint = `give ${kind === 'kafka' ? 'topic@host:port' : kind === 'file' ? 'the path of the file' : 'host:port'}`;
    return { key: 'tunnel.address', text: 'tunnel.address is empty', hint };
  }
  if (kind === 'file') {
    const position = values['tunnel.file.position'];
    return { kind, path: address, positionPath: position === '' ? `${address}.position` : position, message };
  }
  if (kind === 'kafka') {
    const parsed = parseKafkaAddress(address);
    if (typeof parsed === 'string') {
      const hint = 'it looks like topic@broker1:9092,broker2:9092';
      return { key: 'tunnel.address', text: `tunnel.address: ${parsed}`, hint };
    }
    return {
      kind,
      ...parsed,
      message,
      group: values['tunnel.kafka.group'] || `oplogue-${values.id}`,
      clientId: values['tunnel.kafka.client_id'],
      sasl: kafkaSaslOf(values),
      tls: kafkaTlsOf(values),
    };
  }
  const parsed = parseSocketAddress(address, kind === 'tcp' ? 1 : 0);
  if (typeof parsed === 'string') {
    const hint = 'it looks like 0.0.0.0:3999';
    return { key: 'tunnel.address', text: `tunnel.address = ${address}: ${parsed}`, hint };
  }
  const restartFile =
    values['tunnel.restart_file'] || join(values['log.dir'], `${values.id}-${parsed.port}.received`);
  return { kind, address: parsed, tls: socketTlsOf(values), restartFile };
}

function ruleMistakes(values: ReceiverOptionValues): Mistake[] {
  const mistakes: Mistake[] = [];
  const login = values['tunnel.kafka.sasl.auth'];
  if (values['tunnel.kafka.sasl.enable'] && !/^[^@]+@./.test(login)) {
    const text = 'tunnel.kafka.sasl.enable = true needs tunnel.kafka.sasl.auth';
    mistakes.push({ key: 'tunnel.kafka.sasl.auth', text, hint: 'write user@password' });
  }
  const target = values['replayer.mongo_url'];
  if (values['replayer.module'] === 'mongodb' && !/^mongodb(\+srv)?:\/\/./.test(target)) {
    const text = `replayer.module = mongodb needs the URL of a target in replayer.mongo_url`;
    mistakes.push({
      key: 'replayer.mongo_url',
      text,
      hint: 'it looks like mongodb://host:27017/?replicaSet=rs1',
    });
  }
  for (const tls of ['tunnel.tls', 'tunnel.kafka.tls'] as const) {
    if ((values[`${tls}.cert_file`] === '') !== (values[`${tls}.key_file`] === '')) {
      const text = `${tls}.cert_file and ${tls}.key_file belong together`;
      mistakes.push({ key: `${tls}.cert_file`, text, hint: 'give both or none' });
    }
  }
  const security = socketTlsOf(values);
  const isSocket = values.tunnel === 'tcp' || values.tunnel === 'rpc';
  if (isSocket && security !== undefined && security.certFile === undefined) {
    const text = 'a receiver that talks TLS needs a certificate';
    mistakes.push({
      key: 'tunnel.tls.cert_file',
      text,
      hint: 'give tunnel.tls.cert_file and tunnel.tls.key_file',
    });
  }
  return mistakes;
}

function replayerOf(values: ReceiverOptionValues, confPath: string | undefined): ReplayerConfig {
  const name = values['replayer.module'];
  // As @@ lists: beside the configuration, so that a service may start in any folder.
  const folder = confPath === undefined ? '.' : dirname(confPath);
  return {
    count: values.replayer,
    module: SHIPPED_REPLAYERS.has(name) ? name : resolve(folder, name),
    output: values['replayer.output'],
    mongoUrl: encodeMongoUrl(values['replayer.mongo_url']),
    argument: values['replayer.argument'],
    batchEntries: values['replayer.batch_size'],
    retries: values['replayer.retries'],
    onError: values['replayer.on_error'],
    deadLetter: values['replayer.dead_letter'],
  };
}
