import { styleText } from 'node:util';
import { sparkline } from '../shared/sparkline.ts';
import type { StatLine } from './stat-line.ts';

/** A line with what follows from the one before. */
export interface StatRow extends StatLine {
  /** Entries a second since the last look; undefined at the first. */
  readonly rate: number | undefined;
  /** The last rates, oldest first. */
  readonly rates: readonly number[];
}

const COLUMNS = [
  'address',
  'id',
  'state',
  'entries/s',
  'done',
  'lag',
  'in flight',
  'buffered',
  'memory',
  'retries',
];
const STATE_COLUMNS_MAX = 36;
const UNKNOWN = '-';

/** The rows as text, one line each under a header, with what is wrong beneath; for a terminal in colours. */
export function statTable(
  rows: readonly StatRow[],
  options: { readonly isTerminal: boolean; readonly hasHeader: boolean; readonly showsWorkers: boolean },
): string {
  const cells = rows.map(cellsOf);
  const widths = COLUMNS.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i].length)));
  const pad = (row: readonly string[]): string =>
    row.map((cell, i) => (i < 3 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ');
  const lines: string[] = [];
  if (options.hasHeader) lines.push(options.isTerminal ? styleText('bold', pad(COLUMNS)) : pad(COLUMNS));
  for (const [i, row] of rows.entries()) {
    const line = pad(cells[i]);
    const isBad = row.problems.length > 0 || row.state.startsWith('unreachable');
    const graph = options.isTerminal && row.rates.length > 1 ? `  ${sparkline(row.rates)}` : '';
    lines.push((options.isTerminal && isBad ? styleText('red', line) : line) + graph);
    for (const problem of row.problems) lines.push(`  ! ${problem}`);
    if (options.showsWorkers) {
      for (const { worker, done, waiting } of row.workers) {
        lines.push(`    worker ${worker}: done ${done}, in flight ${waiting}`);
      }
    }
  }
  return lines.join('\n');
}

function cellsOf(row: StatRow): string[] {
  return [
    row.address,
    row.id,
    row.state.length > STATE_COLUMNS_MAX ? `${row.state.slice(0, STATE_COLUMNS_MAX - 1)}…` : row.state,
    row.rate === undefined ? UNKNOWN : String(Math.round(row.rate)),
    numberText(row.done),
    row.lagSeconds === undefined ? UNKNOWN : `${row.lagSeconds.toFixed(1)} s`,
    numberText(row.inFlight),
    bytesText(row.bufferedBytes),
    bytesText(row.rssBytes),
    numberText(row.retries),
  ];
}

function numberText(value: number | undefined): string {
  return value === undefined ? UNKNOWN : String(value);
}

function bytesText(bytes: number | undefined): string {
  return bytes === undefined ? UNKNOWN : `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MB`;
}
