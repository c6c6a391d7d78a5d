import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigError } from './config-error.ts';
import { loadReceiverConfig, type LoadedReceiverConfig } from './load-receiver-config.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'oplogue-receiver-conf-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(text: string, env: Record<string, string> = {}): LoadedReceiverConfig {
  const file = join(folder, 'receiver.conf');
  writeFileSync(file, text);
  return loadReceiverConfig({ file, env, set: [] });
}

function mistakesOf(text: string): string {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

test("MongoShake's receiver.conf is taken as it is", () => {
  const { config, notices } = load(`
# this is comment line
log.level = info
log.dir =
log.file = receiver.log
log.flush = false
system_profile_port = 9500
replayer = 8
tunnel = rpc
tunnel.address = 127.0.0.1:6666
`);
  expect(config).toMatchObject({
    tunnel: { kind: 'rpc', address: { host: '127.0.0.1', port: 6666 }, tls: undefined },
    replayer: { count: 8, module: 'print', onError: 'stop' },
    http: undefined,
  });
  expect(notices).toMatchObject([{ text: expect.stringContaining('system_profile_port') }]);
});

test('all mistakes are told at once, each with its line and its cure', () => {
  const text = mistakesOf(
    'tunel = rpc\nreplayer.on_error = ignore\ntunnel = tcp\ntunnel.address = nowhere\n',
  );
  expect(text).toMatch(/has 3 mistakes/);
  expect(text).toMatch(/receiver\.conf:1: there is no key tunel \(did you mean tunnel\?\)/);
  expect(text).toMatch(/receiver\.conf:2: .*one of stop, skip, dead_letter/);
  expect(text).toMatch(/receiver\.conf:4: tunnel\.address = nowhere: it is not host:port/);
});

test.each([
  ['tunnel = kafka\ntunnel.address = t@', /names no broker/],
  ['tunnel = file', /tunnel\.address is empty \(give the path of the file\)/],
  ['tunnel = tcp\ntunnel.address = :65535', /the next port is used too/],
  ['tunnel.address = :1\ntunnel.tls.enable = true', /a receiver that talks TLS needs a certificate/],
  ['tunnel.address = :1\ntunnel.tls.cert_file = a.pem', /belong together/],
  [
    'tunnel = kafka\ntunnel.address = t@b\ntunnel.kafka.sasl.enable = true',
    /needs tunnel\.kafka\.sasl\.auth/,
  ],
])('%j is a mistake', (text, expected) => {
  expect(mistakesOf(text)).toMatch(expected);
});

test('a module lies beside the configuration, and replayer = 0 means one', () => {
  const { config } = load('tunnel.address = :3999\nreplayer = 0\nreplayer.module = ./mine.js\n');
  expect(config.replayer).toMatchObject({ count: 1, module: join(folder, 'mine.js') });
});

test('the environment wins over the file, and passwords are known as secrets', () => {
  const { config } = load('tunnel = kafka\ntunnel.address = t@b\ntunnel.kafka.sasl.enable = true\n', {
    OPLOGUE_TUNNEL_KAFKA_SASL_AUTH: 'reader@hidden-word',
    OPLOGUE_TUNNEL_ADDRESS: 'other@broker:9093',
  });
  expect(config.tunnel).toMatchObject({ topic: 'other', group: 'oplogue-receiver' });
  expect(config.secrets).toContain('hidden-word');
});
