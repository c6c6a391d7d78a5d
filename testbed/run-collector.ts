import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { GuardedProcess, type ProcessEnd } from './guarded-process.ts';
import { makeTempFolder } from './process-guard.ts';
import { projectRoot } from './project-root.ts';
import { TestbedError } from './testbed-error.ts';

export interface RunCollectorOptions {
  /** Lines of collector.conf. `conf.version` and a free `incr_sync.http_port` are added unless given. */
  readonly conf: Readonly<Record<string, string | number | boolean>>;
  readonly env?: Readonly<Record<string, string>>;
  /** More command-line arguments. */
  readonly args?: readonly string[];
  /** Node's own arguments, for example `--max-old-space-size=128`. */
  readonly nodeArgs?: readonly string[];
  /** Do not wait until its REST pages answer: for a collector that is expected to refuse its configuration. */
  readonly waitUntilReady?: boolean;
}

/** A real collector in a process of its own, in a folder of its own. */
export interface RunningCollector extends AsyncDisposable {
  readonly folder: string;
  readonly confText: string;
  readonly httpPort: number;
  readonly pid: number;
  readonly running: boolean;
  /** Resolves when the process ends. */
  readonly ended: Promise<ProcessEnd>;
  /** Everything it has printed, over all its starts. */
  readonly log: string;
  /** JSON of a REST page, for example `/repl`. */
  page(path: string): Promise<unknown>;
  /** Text of a page, for example `/metrics`. */
  text(path: string): Promise<string>;
  waitForLog(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  kill(signal?: NodeJS.Signals): Promise<ProcessEnd>;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<ProcessEnd>;
  /** Starts it again with the same folder and configuration. */
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** Runs `node bin/collector.js -conf=...`. @throws TestbedError with its log when it does not get ready */
export async function runCollector(options: RunCollectorOptions): Promise<RunningCollector> {
  const folder = makeTempFolder('collector');
  const httpPort = Number(options.conf['incr_sync.http_port'] ?? (await freePort()));
  const conf = { 'conf.version': 10, ...options.conf, 'incr_sync.http_port': httpPort };
  const confText = Object.entries(conf)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
  const confPath = join(folder, 'collector.conf');
  mkdirSync(folder, { recursive: true });
  writeFileSync(confPath, confText);
  const collector = new GuardedProcess({
    command: process.execPath,
    args: [
      ...(options.nodeArgs ?? []),
      join(projectRoot(), 'bin', 'collector.js'),
      `-conf=${confPath}`,
      '-verbose=2',
      ...(options.args ?? []),
    ],
    cwd: folder,
    env: { ...process.env, ...options.env },
    logPath: join(folder, 'output.log'),
  });
  const running = wrap({ collector, folder, confText, httpPort, waits: options.waitUntilReady ?? true });
  await running.start();
  return running;
}

interface WrapParts {
  readonly collector: GuardedProcess;
  readonly folder: string;
  readonly confText: string;
  readonly httpPort: number;
  readonly waits: boolean;
}

function wrap({ collector, folder, confText, httpPort, waits }: WrapParts): RunningCollector {
  const giveUp = (): void => {
    if (!collector.running) throw new TestbedError(`The collector has ended:\n${collector.logTail(30)}`);
  };
  const detail = (): string => collector.logTail(30);
  const text = async (path: string): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${httpPort}${path}`);
    return response.text();
  };
  return {
    folder,
    confText,
    httpPort,
    get pid() {
      return collector.pid;
    },
    get running() {
      return collector.running;
    },
    get ended() {
      return collector.ended;
    },
    get log() {
      return collector.log;
    },
    text,
    page: async (path) => JSON.parse(await text(path)) as unknown,
    waitForLog: (pattern, timeoutMs = 30_000) =>
      eventually(() => pattern.exec(collector.log), {
        what: `${pattern} in the collector's log`,
        timeoutMs,
        detail,
        giveUp: () => {
          if (!pattern.test(collector.log)) giveUp();
        },
      }),
    kill: (signal = 'SIGKILL') => collector.kill(signal),
    stop: () => collector.stop(),
    async start() {
      collector.start();
      if (!waits) return;
      const options = { what: 'the collector to answer', everyMs: 100, detail, giveUp };
      await eventually(async () => (await text('/repl')) !== '', options);
    },
    freeze: () => collector.freeze(),
    thaw: () => collector.thaw(),
    async [Symbol.asyncDispose]() {
      await collector.kill();
    },
  };
}
