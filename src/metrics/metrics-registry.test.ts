import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { assert } from '../shared/assert.ts';
import { MemoryBudget } from '../shared/memory-budget.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { MetricsRegistry } from './metrics-registry.ts';
import { ReplicationStats } from './replication-stats.ts';
import type { SourceView } from './source-view.ts';

const sampleLine = /^([a-zA-Z_:][\w:]*)(\{.*\})? (NaN|[+-]?Inf|-?[\d.]+(?:e[+-]?\d+)?)$/;

/** Reads Prometheus' text format as strictly as promtool: types before samples, no series twice. */
function parse(text: string): { types: Map<string, string>; samples: Map<string, number> } {
  const types = new Map<string, string>();
  const samples = new Map<string, number>();
  assert(text.endsWith('\n'), 'the text ends with a newline');
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    if (line.startsWith('# TYPE ')) {
      const [, , name, type] = line.split(' ');
      assert(!types.has(name), `${name} is declared twice`);
      types.set(name, type);
      continue;
    }
    const match = sampleLine.exec(line);
    assert(match !== null, `not a sample: ${line}`);
    const [, name, labels = '', value] = match;
    const family = types.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '');
    assert(types.has(family), `${name} has no type`);
    assert(types.get(family) !== 'counter' || name.endsWith('_total'), `${name} is a counter`);
    assert(!samples.has(name + labels), `the series is there twice: ${line}`);
    samples.set(name + labels, Number(value));
  }
  return { types, samples };
}

function registryOf(
  names: string[],
  processMetrics = false,
): { registry: MetricsRegistry; views: SourceView[] } {
  const views = names.map((name) => ({
    stats: new ReplicationStats(name, 2),
    latency: new LatencyHistogram(),
    queue: () => ({ fetchedUsed: 0, fetchedSize: 0 }),
  }));
  const budget = new MemoryBudget(1000);
  const registry = new MetricsRegistry({
    id: 'id',
    version: 'v',
    sources: () => views,
    budget,
    processMetrics,
  });
  return { registry, views };
}

test('the text is well formed, and every scrape shows the figures of that moment', async () => {
  const { registry, views } = registryOf(['a', 'b"\\\n'], true);
  parse(await registry.text());
  const { stats, latency } = views[0];
  stats.entriesRead = 41;
  stats.inserts = 7;
  stats.state = 'streaming';
  stats.lanes[1].entriesInFlight = 5;
  latency.observe(15, 10);
  const { types, samples } = parse(await registry.text());
  expect(samples.get('oplogue_entries_read_total{source="a"}')).toBe(41);
  expect(samples.get('oplogue_operations_total{source="a",operation="insert"}')).toBe(7);
  expect(samples.get('oplogue_state{source="a",state="streaming"}')).toBe(1);
  expect(samples.get('oplogue_state{source="a",state="starting"}')).toBe(0);
  expect(samples.get('oplogue_lane_entries_in_flight{source="a",lane="1"}')).toBe(5);
  expect(samples.get('oplogue_memory_budget_limit_bytes')).toBe(1000);
  expect(types.get('oplogue_latency_seconds')).toBe('histogram');
  expect(samples.get('oplogue_latency_seconds_bucket{source="a",le="0.01"}')).toBe(0);
  expect(samples.get('oplogue_latency_seconds_bucket{source="a",le="0.02"}')).toBe(10);
  expect(samples.get('oplogue_latency_seconds_bucket{source="a",le="+Inf"}')).toBe(10);
  expect(samples.get('oplogue_latency_seconds_sum{source="a"}')).toBeCloseTo(0.15);
  expect(samples.get('oplogue_latency_seconds_count{source="a"}')).toBe(10);
});

test('a source that goes away leaves no series behind', async () => {
  const { registry, views } = registryOf(['a', 'b']);
  await registry.text();
  views.pop();
  expect(
    [...parse(await registry.text()).samples.keys()].filter((key) => key.includes('source="b"')),
  ).toEqual([]);
});

test('docs/monitoring.md names every metric of ours with its type, and no other', async () => {
  const { registry } = registryOf(['a']);
  const docs = await readFile(new URL('../../docs/monitoring.md', import.meta.url), 'utf8');
  const rows = [...docs.matchAll(/^\| `(oplogue_\w+)` +\| (\w+) +\|/gm)].map(
    ([, name, type]) => `${name} ${type}`,
  );
  const { types } = parse(await registry.text());
  expect(rows.toSorted()).toEqual([...types].map(([name, type]) => `${name} ${type}`).toSorted());
});

test('no metric of the process wakes an idle one up', async () => {
  const { registry } = registryOf(['a'], true);
  await registry.text();
  const { types } = parse(await registry.text());
  expect([...types.keys()].filter((name) => name.includes('eventloop'))).toEqual([
    'oplogue_nodejs_eventloop_lag_seconds',
  ]);
});
