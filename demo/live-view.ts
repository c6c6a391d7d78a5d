import type { CollectorFigures } from './collector-figures.ts';
import type { DemoOperation } from './decode-message.ts';
import type { DeliveryCheck } from './delivery-check.ts';
import { sparkline } from '../src/shared/sparkline.ts';

export interface ViewState {
  readonly figures: CollectorFigures;
  readonly check: DeliveryCheck;
  readonly latest: readonly DemoOperation[];
  readonly elapsedSeconds: number;
}

const historyLength = 40;
const plainEveryMs = 2_000;
const opNames: Readonly<Record<string, string>> = { i: 'insert', u: 'update', d: 'delete', c: 'command' };

/** Redraws itself in place on a terminal; elsewhere prints a line now and then. */
export class LiveView {
  readonly #output: NodeJS.WriteStream;
  readonly #title: string;
  readonly #history: number[] = [];
  #drawnLines = 0;
  #lastPlainAt = Number.NEGATIVE_INFINITY;

  constructor(title: string, output: NodeJS.WriteStream = process.stdout) {
    this.#title = title;
    this.#output = output;
  }

  show(state: ViewState): void {
    this.#history.push(state.figures.entriesPerSecond);
    if (this.#history.length > historyLength) this.#history.shift();
    if (this.#output.isTTY) this.#redraw(this.#lines(state));
    else if (performance.now() >= this.#lastPlainAt + plainEveryMs) {
      this.#lastPlainAt = performance.now();
      this.#output.write(`${plainLine(state)}\n`);
    }
  }

  #redraw(lines: readonly string[]): void {
    const width = Math.max(20, this.#output.columns - 1);
    const up = this.#drawnLines === 0 ? '' : `\x1b[${this.#drawnLines}A`;
    this.#output.write(up + lines.map((line) => `\x1b[2K${cut(line, width)}\n`).join(''));
    this.#drawnLines = lines.length;
  }

  #lines({ figures, check, latest, elapsedSeconds }: ViewState): string[] {
    return [
      `${this.#title}   ${elapsedSeconds.toFixed(0)} s   Ctrl-C ends`,
      '',
      `  entries/s   ${figures.entriesPerSecond.toLocaleString('en').padStart(10)}   ${sparkline(this.#history)}`,
      `  lag         ${figures.lagSeconds.toFixed(1).padStart(10)} s`,
      `  delivered   ${check.delivered.toLocaleString('en').padStart(10)}   of ${check.written.toLocaleString('en')} written, ${check.missing.toLocaleString('en')} on the way`,
      `  messages    ${megabytes(figures.bytesDurable).padStart(10)} MB`,
      `  memory      ${megabytes(figures.memoryBytes).padStart(10)} MB`,
      `  checkpoint  ${figures.checkpoint}`,
      '',
      '  last messages',
      ...latest.map((it) => `  ${operationLine(it)}`),
    ];
  }
}

function plainLine({ figures, check, latest, elapsedSeconds }: ViewState): string {
  const last = latest.at(-1);
  return [
    `${elapsedSeconds.toFixed(0).padStart(4)} s`,
    `${figures.entriesPerSecond} entries/s`,
    `lag ${figures.lagSeconds.toFixed(1)} s`,
    `written ${check.written}, delivered ${check.delivered}`,
    `${megabytes(figures.bytesDurable)} MB`,
    `memory ${megabytes(figures.memoryBytes)} MB`,
    `checkpoint ${figures.checkpoint}`,
    last === undefined ? '' : cut(operationLine(last), 100),
  ].join(' | ');
}

function operationLine({ op, namespace, text }: DemoOperation): string {
  return `${(opNames[op] ?? op).padEnd(7)} ${namespace.padEnd(15)} ${text}`;
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1);
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 1)}…`;
}
