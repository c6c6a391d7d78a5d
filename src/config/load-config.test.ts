import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configAsMongoShakeJson } from './config-as-json.ts';
import { ConfigError } from './config-error.ts';
import { environmentNameOf } from './given-value.ts';
import { loadConfig, type LoadedConfig } from './load-config.ts';
import { optionKeys } from './option-table.ts';

let folder: string;
let file: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'oplogue-config-'));
  file = join(folder, 'collector.conf');
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface More {
  readonly env?: Record<string, string>;
  readonly set?: readonly string[];
}

function load(text: string, { env = {}, set = [] }: More = {}): LoadedConfig {
  writeFileSync(file, text);
  return loadConfig({ file, env, set });
}

function mistakesOf(text: string, more?: More): string[] {
  try {
    load(text, more);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.message.split('\n').slice(error.mistakes.length > 1 ? 1 : 0);
    throw error;
  }
  return [];
}

const least = `conf.version = 10
mongo_urls = mongodb://127.0.0.1:27017
tunnel = kafka
tunnel.address = orders@127.0.0.1:9092
`;

describe('a small configuration', () => {
  test('gets the default of every other key', () => {
    const { config, notices } = load(least);
    expect(notices).toEqual([]);
    expect(config.id).toBe('mongoshake');
    expect(config.source).toMatchObject({ connectMode: 'secondaryPreferred', readConcern: 'majority' });
    expect(config.checkpoint).toMatchObject({
      storage: 'database',
      url: 'mongodb://127.0.0.1:27017',
      db: 'mongoshake',
      collection: 'ckpt_default',
      startPositionSeconds: 1,
      intervalMs: 5000,
    });
    expect(config.http).toEqual({ bind: '127.0.0.1', port: 9100 });
    expect(config.workers).toMatchObject({ count: 8, shardKey: 'collection' });
    expect(config.tunnel.kafka).toMatchObject({
      topic: 'orders',
      brokers: [{ host: '127.0.0.1', port: 9092 }],
    });
    expect(config.memoryLimitBytes).toBe(64 * 1024 * 1024);
  });

  test('is frozen all the way down', () => {
    const { config } = load(least);
    expect(Object.isFrozen(config)).toBe(true);
    expect(Object.isFrozen(config.tunnel.kafka?.brokers)).toBe(true);
    expect(Object.isFrozen(config.values)).toBe(true);
  });

  test('works without a file, from the command line alone', () => {
    const set = ['mongo_urls=mongodb://a', 'tunnel=kafka', 'tunnel.address=b:1'];
    const { config } = loadConfig({ env: {}, set });
    expect(config.tunnel.kafka).toMatchObject({ topic: 'mongoshake', brokers: [{ host: 'b', port: 1 }] });
  });
});

describe('sources of values', () => {
  test('the environment wins over the file, and --set over both', () => {
    const env = { OPLOGUE_ID: 'from-env', OPLOGUE_INCR_SYNC_WORKER: '4', PATH: '/bin' };
    const { config } = load(`${least}id = from-file\nincr_sync.worker = 2`, { env, set: ['id=from-flag'] });
    expect(config.id).toBe('from-flag');
    expect(config.workers.count).toBe(4);
  });

  test('a message names where the value came from', () => {
    const env = { OPLOGUE_INCR_SYNC_WORKER: 'many' };
    const mistakes = mistakesOf(`${least}log.level = loud`, { env, set: ['http.bound=x', 'nonsense'] });
    expect(mistakes).toEqual([
      expect.stringContaining(
        'collector.conf:5: log.level = loud is not allowed (it takes one of debug, info',
      ),
      expect.stringContaining('--set http.bound: there is no key http.bound (did you mean http.bind?)'),
      expect.stringContaining('--set nonsense: it has no "="'),
      expect.stringContaining('environment variable OPLOGUE_INCR_SYNC_WORKER: incr_sync.worker = many'),
    ]);
  });

  test('no two keys share an environment variable', () => {
    const names = optionKeys.map(environmentNameOf);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('OPLOGUE_TUNNEL_ADDRESS');
  });

  test('an unknown variable with our prefix is only a warning', () => {
    const { notices } = load(least, { env: { OPLOGUE_TUNNEL_ADRESS: 'x', OPLOGUE_FAILPOINT: 'y' } });
    expect(notices).toEqual([
      { level: 'warn', text: expect.stringContaining('did you mean OPLOGUE_TUNNEL_ADDRESS?') },
    ]);
  });

  test('the last of two lines counts, and is said', () => {
    const { config, notices } = load(`${least}id = a\nid = b`);
    expect(config.id).toBe('b');
    expect(notices[0]?.text).toMatch(/collector.conf:6: id is given again \(first at collector.conf:5\)/);
  });
});

describe('mistakes', () => {
  test('are all reported at once, with line, key, value, what is allowed, and the nearest key', () => {
    const mistakes = mistakesOf(`${least}incr_sync.wroker = 8
incr_sync.worker = 0x8
[section]
filter.ddl_enable = yes
memory.limit = lots
checkpoint.start_position = yesterday
incr_sync.fetcher.buffer_capacity =
`);
    expect(mistakes.map((line) => line.trim())).toEqual([
      'collector.conf:5: there is no key incr_sync.wroker (did you mean incr_sync.worker?)',
      'collector.conf:6: incr_sync.worker = 0x8 is not allowed (it takes a whole number in the range [1, 256])',
      'collector.conf:7: the line has no "=" (there are no sections; remove the line)',
      'collector.conf:8: filter.ddl_enable = yes is not allowed (it takes true or false)',
      expect.stringContaining('memory.limit = lots is not allowed (it takes a number of bytes such as 64MiB'),
      expect.stringContaining('checkpoint.start_position = yesterday is not allowed (it takes a UTC date'),
      'collector.conf:11: incr_sync.fetcher.buffer_capacity = (empty) is not allowed (it takes a whole number, 1 or more)',
    ]);
  });

  test('an empty or missing configuration is not a mistake for every key', () => {
    expect(mistakesOf('# nothing')).toEqual([expect.stringContaining('the configuration file is empty')]);
    expect(() => loadConfig({ env: {}, set: [] })).toThrow('with -conf=FILE');
    expect(() => loadConfig({ env: {}, set: ['id=a'] })).toThrow('mongo_urls cannot be empty');
  });

  test('never show a password that stands where none belongs', () => {
    const text = `${least.replace(/^mongo_urls.*$/m, 'mongo_urls = mongodb://root:S3c;ret@127.0.0.1:27017')}
root:S3cret@127.0.0.1:27017/?replicaSet=rs0
mongodb://root:S3cret@127.0.0.1:27017/?replicaSet=rs0
tunnel.kafka.sasl.auth bob@S3cret
tunnel.kafka.sasl.auth = bob@S3cret
`;
    const mistakes = mistakesOf(text);
    expect(mistakes).toHaveLength(4);
    expect(mistakes.join('\n')).not.toMatch(/S3c|ret@/);
    expect(mistakes[0]).toContain('write ; in a password as %3B');
  });
});

describe('conf.version', () => {
  const withoutVersion = least.replace('conf.version = 10\n', '');

  test('must be there in a configuration without old names, as MongoShake asks', () => {
    const [mistake] = mistakesOf(withoutVersion);
    expect(mistake).toContain('current required configuration version[10] > input[0]');
    expect(mistake).toContain('add the line conf.version = 10');
  });

  test('must be 10 or more', () => {
    expect(mistakesOf(least.replace('10', '6'))[0]).toContain('version[10] > input[6]');
    expect(mistakesOf(least.replace('= 10', '= 12'))).toEqual([]);
  });

  test('gives the error its own kind, so that the exit code is that of MongoShake', () => {
    const kindOf = (text: string): string | undefined => {
      try {
        load(text);
      } catch (error) {
        if (error instanceof ConfigError) return error.kind;
      }
      return undefined;
    };
    expect(kindOf(withoutVersion)).toBe('version');
    expect(kindOf(`${least}x = 1`)).toBe('parse');
    expect(kindOf(`${least}full_sync.http_port = 9100`)).toBe('check');
    expect(() => loadConfig({ file: join(folder, 'none.conf'), env: {}, set: [] })).toThrow(
      expect.objectContaining({ kind: 'open', mistakes: [expect.anything()] }),
    );
  });
});

describe('features that are not built yet', () => {
  test.each([
    ['sync_mode = all', 'needs full sync'],
    ['sync_mode = full', 'needs full sync'],
    ['tunnel = direct', 'needs writing into a MongoDB'],
    ['incr_sync.tunnel = direct', 'needs writing into a MongoDB'],
    ['incr_sync.mongo_fetch_method = change_stream', 'needs reading a change stream'],
    ['transform.namespace = a:b', 'needs renaming namespaces'],
    ['incr_sync.conflict_write_to = db', 'needs keeping conflicting documents'],
    ['special.source.db.flag = aliyun_serverless', 'needs reading a change stream'],
    ['mongo_urls = mongodb://a;mongodb://b', 'a sharded source is not built yet'],
    ['incr_sync.reader.debug = print', 'needs dropping or printing'],
  ])('%s is refused by name', (line, reason) => {
    const text = line.startsWith('incr_sync.tunnel') ? least.replace('tunnel = kafka\n', '') : least;
    const mistakes = mistakesOf(`${text}${line}`);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toContain(reason);
  });

  test('values that mean off are fine', () => {
    const { notices } = load(`${least}master_quorum = false
sync_mode = incr
transform.namespace =
special.source.db.flag =
incr_sync.mongo_fetch_method = oplog
incr_sync.conflict_write_to = none`);
    expect(notices).toEqual([
      {
        level: 'debug',
        text: expect.stringContaining('with their usual value: incr_sync.conflict_write_to'),
      },
    ]);
  });

  test('a key without effect that somebody gave a value of their own is told, with the reason', () => {
    const { notices } = load(`${least}incr_sync.reader.fetch_batch_size = 2000\nlanes.threads = 0`);
    expect(notices).toEqual([
      {
        level: 'info',
        text: expect.stringMatching(
          /^Keys without effect: incr_sync\.reader\.fetch_batch_size \(.*memory\.limit/,
        ),
      },
    ]);
  });

  test('a missing tunnel is not silently direct', () => {
    const [mistake] = mistakesOf(least.replace('tunnel = kafka\n', ''));
    expect(mistake).toContain('tunnel is not given, and its default, direct, needs');
    expect(mistake).toContain('add tunnel = kafka');
  });
});

describe('rules between keys', () => {
  test.each([
    ['mongo_urls =', 'mongo_s_url and mongo_urls cannot be empty at the same time'],
    ['mongo_urls = host:27017', 'is not a MongoDB URL'],
    ['filter.namespace.black = a\nfilter.namespace.white = b', 'at most one of {filter.namespace.black'],
    ['tunnel.address =', "tunnel.address shouldn't be empty"],
    ['tunnel.address = a b@c', 'is not a name that Kafka takes'],
    ['tunnel.address = a@b:x', '"b:x" is not a broker'],
    [
      'tunnel.kafka.partition_number = 9',
      'tunnel.kafka.partition[9] number should <= incr_sync.worker number[8]',
    ],
    ['incr_sync.tunnel.write_thread = 12', 'must be an integer multiple of incr_sync.worker[8]'],
    ['incr_sync.worker = 257', 'in the range [1, 256]'],
    ['incr_sync.worker = -1', 'in the range [1, 256]'],
    ['incr_sync.http_port = 9101', 'full_sync.http_port should not equal to incr_sync.http_port'],
    [
      'incr_sync.shard_key = id\nincr_sync.shard_by_object_id_whitelist = a.b',
      "'incr_sync.shard_key == collection'",
    ],
    ['checkpoint.storage = api', 'needs a URL in checkpoint.storage.collection'],
    ['tunnel.kafka.sasl.enable = true', 'needs tunnel.kafka.sasl.auth'],
    ['tunnel.kafka.tls.cert_file = /dev/null', 'belong together'],
    ['tunnel.kafka.tls.ca_file = /nowhere/ca.pem', 'the file cannot be read'],
    ['lanes.threads = some', 'it takes auto, or a number from 0 to 16'],
    ['lanes.threads = 17', 'it takes auto, or a number from 0 to 16'],
    ['id = a/b', 'it names the pid file'],
    [
      'full_sync.reader.read_document_count = 0',
      'there is no key full_sync.reader.read_document_count any more',
    ],
  ])('%s is a mistake', (lines, text) => {
    const mistakes = mistakesOf(`${least}${lines}`);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toContain(text);
  });

  test('the same replica set twice is named beside the missing sharding', () => {
    expect(mistakesOf(`${least}mongo_urls = mongodb://a;mongodb://a`).join()).toContain(
      'mongo urls were duplicated',
    );
  });

  test('with the partitioner key, partition_number does not matter', () => {
    const { config } = load(`${least}tunnel.kafka.partition_number = 90\ntunnel.kafka.partitioner = key`);
    expect(config.tunnel.kafka?.partitioner).toBe('key');
  });

  test('a message other than raw switches the compressor off, with a notice', () => {
    const lines = 'incr_sync.worker.oplog_compressor = gzip\ntunnel.message = ';
    const json = load(`${least}${lines}json`);
    expect(json.config.tunnel.compressor).toBe('none');
    expect(json.notices[0]?.text).toContain('incr_sync.worker.oplog_compressor has no effect');
    expect(load(`${least}${lines}raw`).config.tunnel.compressor).toBe('gzip');
  });
});

describe('values', () => {
  test('zero and, for most keys, less mean the default, as in MongoShake', () => {
    const { config } = load(
      `${least}incr_sync.worker = 0\nincr_sync.http_port = -1\ncheckpoint.interval = 0`,
    );
    expect(config.workers.count).toBe(8);
    expect(config.http.port).toBe(9100);
    expect(config.checkpoint.intervalMs).toBe(5000);
  });

  test('an empty text means the default, as in MongoShake', () => {
    const { config } = load(`${least}checkpoint.storage.db =\nlog.level =\ntunnel.json.format =`);
    expect(config.checkpoint.db).toBe('mongoshake');
    expect(config.log.level).toBe('info');
    expect(config.tunnel.jsonFormat).toBe('');
  });

  test('the login of Kafka is divided at the first @', () => {
    const auth =
      'tunnel.kafka.sasl.enable = true\ntunnel.kafka.sasl.auth = bob@p@ss\ntunnel.kafka.sasl.mechanism = SCRAM-SHA-512';
    const { config } = load(`${least}${auth}`);
    expect(config.tunnel.kafka?.sasl).toEqual({
      mechanism: 'SCRAM-SHA-512',
      username: 'bob',
      password: 'p@ss',
    });
    expect(config.secrets).toContain('p@ss');
  });

  test("MongoShake's CA key turns TLS to Kafka on, and certificates are verified", () => {
    const { config } = load(`${least}tunnel.mongo_ssl_root_ca_file = /dev/null`);
    expect(config.tunnel.kafka?.tls).toMatchObject({ caFile: '/dev/null', allowInvalidCertificates: false });
    expect(load(least).config.tunnel.kafka?.tls).toBeUndefined();
  });

  test('not verifying certificates is possible, and said', () => {
    const lines = 'mongo_ssl_root_ca_file = /dev/null\nmongo_ssl_allow_invalid_certificates = true';
    const { config, notices } = load(`${least}${lines}`);
    expect(config.source.tls?.allowInvalidCertificates).toBe(true);
    expect(config.checkpoint.tls).toEqual(config.source.tls);
    expect(notices).toEqual([{ level: 'warn', text: expect.stringContaining('not verified') }]);
  });

  test('a password with special characters is encoded for the driver', () => {
    const { config, notices } = load(`${least}mongo_urls = mongodb://bob:p@ss/word@host/admin`);
    expect(config.source.url).toBe('mongodb://bob:p%40ss%2Fword@host/admin');
    expect(config.secrets).toEqual(['p%40ss%2Fword', 'p@ss/word']);
    expect(notices.at(-1)?.text).toContain('mongodb://bob:***@host/admin');
  });

  test('the names that MongoShake still reads are read, today’s name first', () => {
    const text = least.replace('tunnel.address', 'incr_sync.tunnel.address');
    expect(load(text).config.tunnel.kafka?.topic).toBe('orders');
    expect(load(`${text}tunnel.address = other@b`).config.tunnel.kafka?.topic).toBe('other');
    expect(load(`${least}http_profile = 9300`).config.http.port).toBe(9300);
    expect(load(`${least}incr_sync.http_port = 0\nhttp_profile = 9300`).config.http.port).toBe(9300);
  });
});

describe('secrets', () => {
  test('never stand in a message', () => {
    const mistakes = mistakesOf(`${least}checkpoint.storage.url = mysql://bob:hunter2@host
mongo_urls = mongodb://bob:hunter2@a;mongodb://bob:hunter2@a
tunnel.kafka.sasl.enable = maybe
tunnel.kafka.sasl.auth = bob@hunter2
log.level = mongodb://bob:hunter2@a
mongo_password = hunter2
tunnel.sasl.mechanism = hunter`).join('\n');
    expect(mistakes).not.toContain('hunter2');
    expect(mistakes).toContain('mysql://bob:***@host');
  });

  test('are masked in the JSON of the REST page /conf, which has the names of Go', () => {
    const lines = `mongo_urls = mongodb://bob:hunter2@a
tunnel.kafka.sasl.enable = true
tunnel.kafka.sasl.auth = bob@hunter2
mongo_ssl_client_key_password = hunter2`;
    const json = configAsMongoShakeJson(load(`${least}${lines}`).config);
    expect(JSON.stringify(json)).not.toContain('hunter2');
    expect(json).toMatchObject({
      ConfVersion: 10,
      Id: 'mongoshake',
      MasterQuorum: false,
      IncrSyncHTTPListenPort: 9100,
      MongoUrls: ['mongodb://bob:***@a'],
      TunnelKafkaSaslAuth: 'bob@***',
    });
  });
});
