import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Sentinel } from '../config/sentinel.ts';
import { LatencyHistogram } from '../metrics/latency-histogram.ts';
import { MetricsRegistry } from '../metrics/metrics-registry.ts';
import { ReplicationStats } from '../metrics/replication-stats.ts';
import type { SourceView } from '../metrics/source-view.ts';
import { positionOf } from '../oplog/position.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';
import { Monitor, type MonitorOptions } from './monitor.ts';
import { MonitorListenError } from './monitor-listen-error.ts';

const open: Monitor[] = [];
afterEach(async () => {
  for (const monitor of open.splice(0)) await monitor[Symbol.asyncDispose]();
});

function sourceView(name: string, lanes: number): SourceView {
  const stats = new ReplicationStats(name, lanes);
  return { stats, latency: new LatencyHistogram(), queue: () => ({ fetchedUsed: 2, fetchedSize: 8 }) };
}

function monitorOf(sources: SourceView[], changes: Partial<MonitorOptions> = {}): Monitor {
  const budget = new MemoryBudget(1 << 26);
  const base = { id: 'mongoshake', version: 'v1', sources: () => sources, budget };
  const monitor = new Monitor({
    ...base,
    metrics: new MetricsRegistry({ ...base, processMetrics: false }),
    sentinel: { values: () => ({ Pause: false }), apply: () => 'success' },
    conf: { ConfVersion: 10, MongoUrls: ['mongodb://u:***@h'] },
    ...changes,
  });
  open.push(monitor);
  return monitor;
}

async function get(monitor: Monitor, url: string, accept?: string) {
  return monitor.server.inject({ url, headers: accept === undefined ? {} : { accept } });
}

describe("MongoShake's pages", () => {
  test('/repl of one source is one object with its fields, in its order and types', async () => {
    const view = sourceView('rs0', 1);
    const { stats } = view;
    stats.entriesRead = 12;
    stats.entriesGiven = 10;
    stats.entriesDurable = 9;
    stats.entryBytesAvg = 1260;
    stats.entryBytesMax = 1024;
    stats.lastGiven = positionOf(1582277156, 2);
    stats.lastDurable = positionOf(1582277156, 1);
    const page = (await get(monitorOf([view]), '/repl')).json<Record<string, unknown>>();
    expect(Object.keys(page)).toEqual([
      'who',
      'tag',
      'replset',
      'logs_get',
      'logs_repl',
      'logs_success',
      'tps',
      'lsn',
      'lsn_ack',
      'lsn_ckpt',
      'now',
      'log_size_avg',
      'log_size_max',
    ]);
    expect(page).toMatchObject({
      who: 'mongoshake',
      tag: 'v1',
      replset: 'rs0',
      logs_get: 12,
      logs_repl: 10,
      logs_success: 9,
      tps: 0,
      lsn: { unix: 1582277156, ts: '6795828638227890178' },
      lsn_ack: { unix: 1582277156, ts: '6795828638227890177' },
      lsn_ckpt: { unix: 0, ts: '0' },
      log_size_avg: '1.23KB',
      log_size_max: '1024.00B',
    });
    expect(page).toHaveProperty('lsn.time', expect.stringMatching(/^2020-02-2\d \d\d:\d\d:\d\d$/));
    expect(page).toHaveProperty('now.time', expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/));
  });

  test('several sources make /repl, /queue and /persist arrays, and workers are numbered through', async () => {
    const monitor = monitorOf([sourceView('a', 1), sourceView('b', 2)]);
    for (const path of ['/repl', '/queue', '/persist']) {
      expect((await get(monitor, path)).json()).toHaveLength(2);
    }
    const workers = (await get(monitor, '/worker')).json<object[]>();
    expect(workers.map((w) => Reflect.get(w, 'worker_id'))).toEqual([0, 1, 2]);
  });

  test('a single worker is one object, with its positions as text', async () => {
    const view = sourceView('rs0', 1);
    Object.assign(view.stats.lanes[0], {
      entries: 7,
      entriesInFlight: 3,
      batchesInFlight: 1,
      lastGiven: 6795828638227890178n,
    });
    expect((await get(monitorOf([view]), '/worker')).json()).toEqual({
      worker_id: 0,
      jobs_in_queue: 1,
      jobs_unack_buffer: 3,
      last_unack: '6795828638227890178',
      last_ack: '0',
      count: 7,
    });
  });

  test('/queue and /persist have the documented shapes', async () => {
    const monitor = monitorOf([sourceView('rs0', 1)]);
    expect((await get(monitor, '/queue')).json()).toEqual({
      syncer_replica_set_name: 'rs0',
      logs_queue_size: 8,
      pending_queue_size: 8,
      syncer_inner_queue: [{ queue_id: 0, pending_queue_used: 2, logs_queue_used: 0 }],
      persister_buffer_used: 0,
    });
    expect((await get(monitor, '/persist')).json()).toEqual({
      buffer_used: 2,
      buffer_size: 8,
      enable_disk_persist: false,
      fetch_stage: 'store memory and apply',
      disk_write_count: 0,
      disk_read_count: 0,
    });
  });

  test('/ and every unknown path list the pages; /conf is shown as given', async () => {
    const monitor = monitorOf([sourceView('rs0', 1)]);
    const list = (await get(monitor, '/')).json<object[]>();
    expect(list).toContainEqual({ Uri: '/repl', Method: 'GET' });
    expect(list).toContainEqual({ Uri: '/sentinel/options', Method: 'POST' });
    expect((await get(monitor, '/no/such')).json()).toEqual(list);
    expect((await get(monitor, '/conf')).json()).toMatchObject({ ConfVersion: 10 });
  });

  test('a browser gets a page at /, whose policy allows exactly its own script and style', async () => {
    const reply = await get(monitorOf([sourceView('rs0', 1)]), '/', 'text/html,application/xhtml+xml');
    expect(reply.headers['content-type']).toContain('text/html');
    expect(reply.body).toContain('<h1>Oplogue</h1>');
    expect(reply.headers['content-security-policy']).toMatch(/script-src 'sha256-/);
    expect(reply.body).not.toMatch(/(src|href)="https?:/);
  });

  test('a wrong method is answered with 405 and the right one', async () => {
    const reply = await monitorOf([]).server.inject({ method: 'POST', url: '/repl', payload: '{}' });
    expect(reply.statusCode).toBe(405);
    expect(reply.headers.allow).toBe('GET');
    const get405 = await get(monitorOf([]), '/sentinel/options');
    expect(get405.statusCode).toBe(405);
    expect(get405.headers.allow).toBe('POST');
  });
});

describe('/sentinel/options', () => {
  async function post(payload: string, headers: Record<string, string> = {}) {
    const seen: unknown[] = [];
    const apply = (options: unknown): string => {
      seen.push(options);
      return 'Nope is not exist';
    };
    const monitor = monitorOf([], { sentinel: { values: () => ({}), apply } });
    const reply = await monitor.server.inject({ method: 'POST', url: '/sentinel/options', payload, headers });
    return { reply, seen };
  }

  test("gives the sentinel's answer, also to curl's form content type", async () => {
    const { reply, seen } = await post('{"Nope":1}', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(reply.json()).toEqual({ sentinel: 'Nope is not exist' });
    expect(seen).toEqual([{ Nope: 1 }]);
  });

  test('a position of 64 bits keeps every digit on its way in and out', async () => {
    const monitor = monitorOf([], { sentinel: new Sentinel() });
    for (const position of ['7398000000000000001', '-1', '9223372036854775807']) {
      const payload = `{"ExitPoint": ${position}}`;
      const answer = await monitor.server.inject({ method: 'POST', url: '/sentinel/options', payload });
      expect(answer.json()).toEqual({ sentinel: 'success' });
      const page = await get(monitor, '/sentinel');
      expect(page.headers['content-type']).toBe('application/json; charset=utf-8');
      expect(page.body).toContain(`"ExitPoint":${position},`);
    }
  });

  test.each(['', '{', '[]', 'null', '1'])('answers %j as MongoShake answers bad JSON', async (payload) => {
    const { reply, seen } = await post(payload);
    expect(reply.json()).toEqual({ sentinel: 'request json options wrong format' });
    expect(seen).toEqual([]);
  });

  test.each(['http://evil.example', 'null'])(
    'refuses a POST from a page of another site (%s)',
    async (origin) => {
      const { reply, seen } = await post('{"Pause":true}', { origin });
      expect(reply.statusCode).toBe(403);
      expect(seen).toEqual([]);
    },
  );

  test('refuses a body above 16 KiB with a JSON error and no stack', async () => {
    const { reply } = await post('x'.repeat(20_000));
    expect(reply.statusCode).toBe(413);
    expect(Object.keys(reply.json<object>())).toEqual(['error']);
  });
});

test('an error inside is answered without its text', async () => {
  const values = (): never => {
    throw new Error('secret place');
  };
  const monitor = monitorOf([], { sentinel: { values, apply: () => '' } });
  const reply = await get(monitor, '/sentinel');
  expect(reply.statusCode).toBe(500);
  expect(reply.json()).toEqual({ error: 'internal error' });
});

test('/healthz and /status turn with the state and name the reason', async () => {
  const view = sourceView('rs0', 1);
  const monitor = monitorOf([view]);
  view.stats.state = 'streaming';
  expect((await get(monitor, '/healthz')).statusCode).toBe(200);
  view.stats.state = 'failed';
  view.stats.reason = 'the position left the oplog';
  const reply = await get(monitor, '/healthz');
  expect(reply.statusCode).toBe(503);
  expect(reply.body).toContain('the position left the oplog');
  expect((await get(monitor, '/status')).json()).toMatchObject({
    status: 'failing',
    problems: ['rs0: the replication is failed: the position left the oplog'],
    sources: [{ name: 'rs0', lag_seconds: null, latency_p50_ms: null }],
  });
});

test('/metrics is answered as Prometheus text over a real socket', async () => {
  const monitor = monitorOf([sourceView('rs0', 1)]);
  const port = await monitor.listen({ host: '127.0.0.1', port: 0 });
  const reply = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(reply.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(await reply.text()).toContain('oplogue_entries_read_total{source="rs0"} 0');
});

test('a taken port is an error that names the key', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  try {
    const failure = await monitorOf([])
      .listen({ host: '127.0.0.1', port })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(MonitorListenError);
    expect(failure).toHaveProperty(
      'message',
      `127.0.0.1:${port} (incr_sync.http_port) is used by another process`,
    );
    expect(failure).toHaveProperty('hint', expect.stringContaining('incr_sync.http_port'));
  } finally {
    other.close();
  }
});
