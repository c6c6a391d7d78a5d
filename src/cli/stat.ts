import { sleep } from '../shared/sleep.ts';
import { readStatLine } from './stat-line.ts';
import { statTable, type StatRow } from './stat-table.ts';

export interface StatOptions {
  /** `host:port` of each process. */
  readonly addresses: readonly string[];
  readonly intervalMs: number;
  /** How often it looks; Infinity until the signal aborts. */
  readonly count: number;
  readonly isJson: boolean;
  readonly showsWorkers: boolean;
  readonly signal: AbortSignal;
  readonly out: { readonly isTTY?: boolean; write(text: string): unknown };
}

const RATES_MAX = 30;
const LINES_PER_HEADER = 20;
/** Cursor home, and clear to the end of the screen. */
const REDRAW = '\u001B[H\u001B[J';

interface Seen {
  readonly done: number | undefined;
  readonly atMs: number;
  readonly rates: readonly number[];
}

/** Looks at all processes again and again: a table that is redrawn on a terminal, else a line for each look, as vmstat. */
export async function stat(options: StatOptions): Promise<void> {
  const { addresses, intervalMs, count, signal, out, isJson, showsWorkers } = options;
  const seen = new Map<string, Seen>();
  const isTerminal = out.isTTY === true && !isJson;
  for (let look = 0; look < count && !signal.aborted; look++) {
    if (look > 0) await sleep(intervalMs, signal);
    if (signal.aborted) return;
    const rows = await Promise.all(addresses.map((address) => readRow(address, seen)));
    if (isJson) {
      for (const { rates: _rates, ...row } of rows) out.write(`${JSON.stringify(row)}\n`);
      continue;
    }
    const hasHeader = isTerminal || (look * addresses.length) % LINES_PER_HEADER < addresses.length;
    const table = statTable(rows, { isTerminal, hasHeader, showsWorkers });
    out.write(isTerminal ? `${REDRAW}${table}\n` : `${table}\n`);
  }
}

async function readRow(address: string, seen: Map<string, Seen>): Promise<StatRow> {
  const line = await readStatLine(address);
  const atMs = performance.now();
  const before = seen.get(address);
  const isKnown = before?.done !== undefined && line.done !== undefined && line.done >= before.done;
  const rate = isKnown ? ((line.done - before.done) * 1000) / (atMs - before.atMs) : undefined;
  const rates = [...(before?.rates ?? []), ...(rate === undefined ? [] : [rate])].slice(-RATES_MAX);
  seen.set(address, { done: line.done, atMs, rates });
  return { ...line, rate, rates };
}
