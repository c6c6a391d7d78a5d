import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { spawnGuarded } from './process-guard.ts';
import { TestbedError } from './testbed-error.ts';

export interface GuardedProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  /** Standard output and standard error are appended here. */
  readonly logPath: string;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** What is left of a process that has ended. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** How long a process may take to stop by itself before it is killed. */
const stopTimeoutMs = 20_000;

/** One process of the testbed: started, killed, frozen, stopped, and started again with the same arguments. */
export class GuardedProcess {
  readonly #options: GuardedProcessOptions;
  #child: ChildProcess | undefined;
  #ended: Promise<ProcessEnd> = Promise.resolve({ code: null, signal: null });

  constructor(options: GuardedProcessOptions) {
    this.#options = options;
  }

  /** Process id; 0 when it has never run. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves when the process has ended. */
  get ended(): Promise<ProcessEnd> {
    this.#child?.ref();
    return this.#ended;
  }

  /** Everything it has written so far. */
  get log(): string {
    return readFileSync(this.#options.logPath, 'utf8');
  }

  /** The last lines it wrote, for an error message. */
  logTail(lines = 15): string {
    return this.log.trimEnd().split('\n').slice(-lines).join('\n');
  }

  /** @throws TestbedError when the program cannot be started. */
  start(): void {
    if (this.running) return;
    const { command, args, cwd, env, logPath } = this.#options;
    const log = openSync(logPath, 'a');
    try {
      const child = spawnGuarded(command, args, {
        stdio: ['ignore', log, log],
        ...(cwd === undefined ? {} : { cwd }),
        ...(env === undefined ? {} : { env }),
      });
      this.#child = child;
      // A server that still runs must not keep its owner from ending; whoever waits for its end refs it again.
      child.unref();
      this.#ended = new Promise((resolve, reject) => {
        child.once('exit', (code, signal) => resolve({ code, signal }));
        child.once('error', (cause) => reject(new TestbedError(`Cannot start ${command}`, undefined, cause)));
      });
      this.#ended.catch(() => undefined);
    } finally {
      closeSync(log);
    }
  }

  /** Sends a signal without waiting. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child?.kill(signal);
  }

  /** Kills it at once, or sends another signal, and waits for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<ProcessEnd> {
    this.signal(signal);
    return this.ended;
  }

  /** Asks it to stop (SIGTERM), waits, and kills it when it takes longer than 20 s. */
  async stop(): Promise<ProcessEnd> {
    const timer = setTimeout(() => this.signal('SIGKILL'), stopTimeoutMs);
    try {
      return await this.kill('SIGTERM');
    } finally {
      clearTimeout(timer);
    }
  }

  /** Stops its clock: sockets stay open and nothing answers. */
  freeze(): void {
    this.signal('SIGSTOP');
  }

  thaw(): void {
    this.signal('SIGCONT');
  }
}
