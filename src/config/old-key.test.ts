import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadConfig, type LoadedConfig } from './load-config.ts';
import { oldKeys } from './old-key.ts';
import { collectorOptions } from './option-table.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oplogue-old-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function load(text: string): LoadedConfig {
  const file = join(folder, 'collector.conf');
  writeFileSync(file, text);
  return loadConfig({ file, env: {}, set: [] });
}

// Shaped after whole configurations that users of 2.0 to 2.2 posted in public issue threads in 2019 and 2020.
const config2019 = `# connect source mongodb, set username and password if enable authority.
mongo_urls = mongodb://127.0.0.1:27001
mongo_connect_mode = standalone
collector.id = mongoshake-beijing
sync_mode = oplog
checkpoint.interval = 3000
http_profile = 9110
system_profile = 9210
log_level = info
log_file = collector.log
log_buffer = true
filter.namespace.black =
filter.namespace.white = shop.orders;crm
oplog.gids =
shard_key = collection
syncer.reader.buffer_time = 1
worker = 4
worker.batch_queue_size = 64
adaptive.batching_max_size = 16384
fetcher.buffer_capacity = 256
worker.oplog_compressor = none
tunnel = kafka
tunnel.address = mongoshake@127.0.0.1:9092
context.storage = database
context.storage.url =
context.address = ckpt_beijing
context.start_position = 2000-01-01T00:00:00Z
master_quorum = false
transform.namespace =
dbref = false
replayer.dml_only = true
replayer.executor = 1
replayer.executor.upsert = false
replayer.executor.insert_on_dup_update = false
replayer.conflict_write_to = none
replayer.durable = true
replayer.collection_parallel = 6
replayer.document_parallel = 8
replayer.document_batch_size = 256
replayer.collection_drop = false
`;

const config2020 = `mongo_urls = mongodb://127.0.0.1:27001
sync_mode = oplog
log.buffer = false
majority_write.full = false
majority_write.incr = false
shard_key = auto
worker = 8
worker.batch_queue_size = 8
adaptive.batching_max_size = 2048
fetcher.buffer_capacity = 100
worker.oplog_compressor = gzip
tunnel = kafka
tunnel.address = t@127.0.0.1:9092
tunnel.message = json
context.storage = database
context.storage.url = mongodb://127.0.0.1:27002
context.storage.db = mongoshake1
context.storage.collection = ckpt_1
context.start_position = 2019-06-27T13:00:00Z
replayer.dml_only = false
`;

describe('a configuration of the releases before 2.4', () => {
  test('starts without conf.version, and means what it meant (2019)', () => {
    const { config } = load(config2019);
    expect(config.id).toBe('mongoshake-beijing');
    expect(config.source.connectMode).toBe('standalone');
    expect(config.filter).toMatchObject({ allow: ['shop.orders', 'crm'], ddlEnabled: false });
    expect(config.http.port).toBe(9110);
    expect(config.log).toMatchObject({ level: 'info', file: 'collector.log', flush: false });
    expect(config.workers).toMatchObject({ count: 4 });
    expect(config.checkpoint).toMatchObject({
      storage: 'database',
      collection: 'ckpt_beijing',
      startPositionSeconds: 946_684_800,
      intervalMs: 3000,
    });
  });

  test('starts without conf.version, and means what it meant (2020)', () => {
    const { config } = load(config2020);
    expect(config.checkpoint).toMatchObject({
      url: 'mongodb://127.0.0.1:27002',
      db: 'mongoshake1',
      collection: 'ckpt_1',
    });
    expect(config.filter.ddlEnabled).toBe(true);
    expect(config.log.flush).toBe(true);
    expect(config.tunnel).toMatchObject({ message: 'json', compressor: 'none' });
  });

  test('gets one notice for each old name, with today’s name', () => {
    const texts = load(config2019).notices.map(({ text }) => text);
    const renamed = texts.filter((text) => text.includes(' is called '));
    expect(renamed).toHaveLength(30);
    expect(renamed).toContain('collector.conf:4: collector.id is called id today');
    expect(renamed).toContain('collector.conf:5: sync_mode = oplog is called sync_mode = incr today');
    expect(renamed).toContain(
      'collector.conf:26: context.address is called checkpoint.storage.collection today',
    );
    expect(renamed).toContain(
      'collector.conf:11: log_buffer is called log.flush today (with the contrary value: false)',
    );
  });

  test('keeps its own mistakes under the name that was written', () => {
    expect(() => load(config2019.replace('worker = 4', 'worker = four'))).toThrow(
      /collector.conf:17: worker = four/,
    );
    expect(() => load(config2019.replace('oplog\n', 'document\n'))).toThrow(
      /sync_mode = full needs full sync/,
    );
  });
});

test('every old name stands for a key of today, and is none itself', () => {
  expect(Object.values(oldKeys).filter(({ today }) => !collectorOptions.isKey(today))).toEqual([]);
  expect(Object.keys(oldKeys).filter((key) => collectorOptions.isKey(key))).toEqual([]);
});
