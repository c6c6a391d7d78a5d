import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { GuardedProcess, type ProcessEnd } from './guarded-process.ts';
import { makeTempFolder } from './process-guard.ts';
import { projectRoot } from './project-root.ts';
import { TestbedError } from './testbed-error.ts';

export interface RunReceiverOptions {
  /** Lines of receiver.conf. With `replayer.module = file` (the default here) `lines` tells what has come. */
  readonly conf: Readonly<Record<string, string | number | boolean>>;
  /** More files beside receiver.conf, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly nodeArgs?: readonly string[];
  /** Do not wait until it receives: for one that is expected to refuse. */
  readonly waitUntilReady?: boolean;
}

/** A real receiver in a process of its own, in a folder of its own. */
export interface RunningReceiver extends AsyncDisposable {
  readonly folder: string;
  readonly pid: number;
  readonly running: boolean;
  readonly ended: Promise<ProcessEnd>;
  /** Everything it has printed, over all its starts. */
  readonly log: string;
  /** What the file replayer has written, line by line. */
  lines(): string[];
  waitForLog(pattern: RegExp): Promise<RegExpExecArray>;
  kill(signal?: NodeJS.Signals): Promise<ProcessEnd>;
  /** SIGTERM, and waits for its end. */
  stop(): Promise<ProcessEnd>;
  start(): Promise<void>;
  freeze(): void;
  thaw(): void;
}

/** Runs `node bin/receiver.js -conf=...`. @throws TestbedError with its log when it does not get ready */
export async function runReceiver(options: RunReceiverOptions): Promise<RunningReceiver> {
  const folder = makeTempFolder('receiver');
  const output = join(folder, 'entries.jsonl');
  const conf = { 'replayer.module': 'file', 'replayer.output': output, ...options.conf };
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(options.files ?? {})) writeFileSync(join(folder, name), text);
  const confPath = join(folder, 'receiver.conf');
  writeFileSync(
    confPath,
    Object.entries(conf)
      .map(([key, value]) => `${key} = ${value}\n`)
      .join(''),
  );
  const receiver = new GuardedProcess({
    command: process.execPath,
    args: [
      ...(options.nodeArgs ?? []),
      join(projectRoot(), 'bin', 'receiver.js'),
      `-conf=${confPath}`,
      '-verbose=2',
    ],
    cwd: folder,
    env: { ...process.env },
    logPath: join(folder, 'output.log'),
  });
  const waitForLog = (pattern: RegExp, from = 0): Promise<RegExpExecArray> =>
    eventually(() => pattern.exec(receiver.log.slice(from)), {
      what: `${pattern} in the receiver's log`,
      detail: () => receiver.logTail(30),
      giveUp: () => {
        if (receiver.running || pattern.test(receiver.log)) return;
        throw new TestbedError(`The receiver has ended:\n${receiver.logTail(30)}`);
      },
    });
  let hasStarted = false;
  const running: RunningReceiver = {
    folder,
    get pid() {
      return receiver.pid;
    },
    get running() {
      return receiver.running;
    },
    get ended() {
      return receiver.ended;
    },
    get log() {
      return receiver.log;
    },
    lines: () => (existsSync(output) ? readFileSync(output, 'utf8').split('\n').slice(0, -1) : []),
    waitForLog: (pattern) => waitForLog(pattern),
    kill: (signal = 'SIGKILL') => receiver.kill(signal),
    stop: () => receiver.stop(),
    async start() {
      const from = hasStarted ? receiver.log.length : 0;
      hasStarted = true;
      receiver.start();
      if (options.waitUntilReady !== false) await waitForLog(/receiving: /, from);
    },
    freeze: () => receiver.freeze(),
    thaw: () => receiver.thaw(),
    async [Symbol.asyncDispose]() {
      await receiver.kill();
    },
  };
  await running.start();
  return running;
}
