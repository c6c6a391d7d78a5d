import type { RunningCollector } from '../testbed/run-collector.ts';

/** What the collector says of itself on `/repl` and `/metrics`. */
export interface CollectorFigures {
  readonly entriesPerSecond: number;
  readonly lagSeconds: number;
  readonly bytesDurable: number;
  readonly memoryBytes: number;
  /** Time of the checkpoint as `/repl` shows it. */
  readonly checkpoint: string;
}

/** Before the collector has answered. */
export const noFigures: CollectorFigures = {
  entriesPerSecond: 0,
  lagSeconds: 0,
  bytesDurable: 0,
  memoryBytes: 0,
  checkpoint: 'none yet',
};

/** Asks both pages. @throws when the collector does not answer */
export async function collectorFigures(collector: RunningCollector): Promise<CollectorFigures> {
  const [metrics, repl] = await Promise.all([collector.text('/metrics'), collector.text('/repl')]);
  const page: { lsn_ckpt?: { unix?: number; time?: string } } = JSON.parse(repl);
  return {
    entriesPerSecond: metric(metrics, 'oplogue_entries_per_second'),
    lagSeconds: metric(metrics, 'oplogue_lag_seconds'),
    bytesDurable: metric(metrics, 'oplogue_bytes_durable_total'),
    memoryBytes: metric(metrics, 'oplogue_process_resident_memory_bytes'),
    // MongoShake shows no checkpoint as the year 1970.
    checkpoint: (page.lsn_ckpt?.unix ?? 0) === 0 ? noFigures.checkpoint : (page.lsn_ckpt?.time ?? ''),
  };
}

/** The sum over all sources; 0 when there is no such sample yet. */
function metric(text: string, name: string): number {
  let sum = 0;
  for (const line of text.split('\n')) {
    if (line.startsWith(`${name} `) || line.startsWith(`${name}{`)) {
      const value = Number(line.slice(line.lastIndexOf(' ') + 1));
      if (Number.isFinite(value)) sum += value;
    }
  }
  return sum;
}
