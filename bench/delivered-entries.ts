import type { RunningCollector } from '../testbed/run-collector.ts';

/** How many entries the collector says are durable. */
export async function deliveredEntries(collector: RunningCollector): Promise<number> {
  const text = await collector.text('/metrics');
  return Number(/^oplogue_entries_durable_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? 0);
}
