import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import {
  renderCollectorConf,
  renderConfigurationPage,
  renderReceiverConf,
  renderReceiverConfigurationPage,
} from './config-docs.ts';
import { loadConfig } from './load-config.ts';
import { loadReceiverConfig } from './load-receiver-config.ts';
import { optionKeys } from './option-table.ts';

// Each of these fails when the file in the repository is stale; "npm run docs:config" writes it anew.
test('conf/collector.conf is what the option table says', async () => {
  await expect(renderCollectorConf()).toMatchFileSnapshot(resolve('conf/collector.conf'));
});

test('docs/configuration.md is what the option table says', async () => {
  await expect(renderConfigurationPage()).toMatchFileSnapshot(resolve('docs/configuration.md'));
});

test('conf/receiver.conf is what the option table says', async () => {
  await expect(renderReceiverConf()).toMatchFileSnapshot(resolve('conf/receiver.conf'));
});

test('docs/receiver-configuration.md is what the option table says', async () => {
  await expect(renderReceiverConfigurationPage()).toMatchFileSnapshot(
    resolve('docs/receiver-configuration.md'),
  );
});

test('conf/receiver.conf can be used as it is', () => {
  const { config, notices } = loadReceiverConfig({ file: 'conf/receiver.conf', env: {}, set: [] });
  expect(config.tunnel).toMatchObject({ kind: 'rpc', address: { port: 3999 }, tls: undefined });
  expect(config.replayer).toMatchObject({ count: 8, module: 'print', onError: 'stop' });
  expect(notices).toEqual([]);
});

test('conf/collector.conf can be used as it is', () => {
  const { config, notices } = loadConfig({ file: 'conf/collector.conf', env: {}, set: [] });
  expect(config.source.url).toContain('127.0.0.1:27017');
  expect(config.tunnel).toMatchObject({ kind: 'kafka', message: 'json', kafka: { topic: 'mongoshake' } });
  expect(notices.filter(({ level }) => level !== 'debug')).toEqual([]);
});

test('docs/configuration.md has every key', () => {
  const page = renderConfigurationPage();
  expect(optionKeys.filter((key) => !page.includes(`### \`${key}\``))).toEqual([]);
});
