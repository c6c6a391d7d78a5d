import type { LogConfig } from '../config/config.ts';
import type { ConfigSources } from '../config/given-value.ts';
import type { Notice } from '../config/notice.ts';
import { describeError, OplogueError } from '../shared/errors.ts';
import { checkFailpoint } from '../shared/failpoint.ts';
import type { Logger } from '../shared/logger.ts';
import { maskSecrets } from '../shared/mask-url.ts';
import { exitCode, exitCodeOf } from './exit-code.ts';
import { letHeapGrow } from './let-heap-grow.ts';
import { openLog } from './logging.ts';
import { packageVersion } from './package-version.ts';
import type { ProcessArguments } from './process-arguments.ts';
import { stopSignals } from './stop-signals.ts';

type RunArguments = Extract<ProcessArguments, { kind: 'run' }>;

interface Loaded<C> {
  readonly config: C;
  readonly notices: readonly Notice[];
}

/** What makes a process of ours out of its configuration. */
export interface ProcessKind<C> {
  readonly wanted: ProcessArguments;
  /** @throws ConfigError */
  readonly load: (sources: ConfigSources) => Loaded<C>;
  /** What the configuration means, in one line, for `--check`. */
  readonly describe: (config: C) => string;
  /** Where log lines for the console go; default standard output. */
  readonly console?: NodeJS.WriteStream;
  /** Runs until the signal aborts. */
  readonly run: (
    config: C,
    process: { logger: Logger; version: string; signal: AbortSignal },
  ) => Promise<void>;
}

/** Does what the command line asks for, and ends the process with its exit code. */
export async function runProcess<C extends { log: LogConfig; secrets: readonly string[] }>(
  kind: ProcessKind<C>,
): Promise<void> {
  const { wanted } = kind;
  switch (wanted.kind) {
    case 'help':
      console.log(wanted.text);
      return;
    case 'version':
      console.log(`oplogue ${packageVersion()}`);
      return;
    case 'wrong':
      console.error(wanted.message);
      return process.exit(exitCode.usage);
    case 'run':
      letHeapGrow();
      return process.exit(await start(kind, wanted));
  }
}

/** @returns the exit code */
async function start<C extends { log: LogConfig; secrets: readonly string[] }>(
  kind: ProcessKind<C>,
  wanted: RunArguments,
): Promise<number> {
  let loaded: Loaded<C>;
  try {
    checkFailpoint();
    loaded = kind.load({ file: wanted.conf, env: process.env, set: wanted.set });
  } catch (error) {
    return explain(error);
  }
  const { config, notices } = loaded;
  if (wanted.check) {
    for (const notice of notices) console.log(notice.text);
    console.log(`The configuration is good: ${kind.describe(config)}`);
    return exitCode.ok;
  }
  let log: Awaited<ReturnType<typeof openLog>>;
  try {
    const output = kind.console === undefined ? {} : { console: kind.console };
    log = await openLog({ ...config.log, verbose: wanted.verbose, secrets: config.secrets, ...output });
  } catch (error) {
    return explain(error);
  }
  try {
    return await runUntilStopped(kind, loaded, log);
  } finally {
    await log.close();
  }
}

function explain(error: unknown): number {
  console.error(maskSecrets(describeError(error)));
  return exitCodeOf(error);
}

/** Runs until a signal or a failure. @returns the exit code */
async function runUntilStopped<C>(
  kind: ProcessKind<C>,
  { config, notices }: Loaded<C>,
  logger: Logger,
): Promise<number> {
  const signals = stopSignals({ logger, exit: (code) => process.exit(code) });
  try {
    logger.info(`Oplogue ${packageVersion()}, Node ${process.version}, pid ${process.pid}`);
    const armed = checkFailpoint();
    if (armed !== undefined) logger.warn(`Failpoint ${armed.name} is armed (OPLOGUE_FAILPOINT)`);
    for (const notice of notices) logger[notice.level](notice.text);
    await kind.run(config, { logger, version: packageVersion(), signal: signals.signal });
    return exitCode.ok;
  } catch (error) {
    // Asked to stop before it had begun, while a server was waited for.
    if (isCausedBy(error, signals.signal)) return exitCode.ok;
    logger.error(withCode(error));
    return exitCodeOf(error);
  } finally {
    signals.release();
  }
}

function isCausedBy(error: unknown, signal: AbortSignal): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (signal.aborted && e === signal.reason) return true;
  return false;
}

function withCode(error: unknown): string {
  const text = describeError(error);
  if (error instanceof OplogueError) return `${text} (${error.code})`;
  // Not one of ours: a bug, of which the place is worth knowing.
  return error instanceof Error && error.stack !== undefined ? error.stack : text;
}
