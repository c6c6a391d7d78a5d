import { readFileSync } from 'node:fs';
import { Collector } from '../collector/collector.ts';
import { loadConfig, type LoadedConfig } from '../config/load-config.ts';
import { describeError, OplogueError } from '../shared/errors.ts';
import { checkFailpoint } from '../shared/failpoint.ts';
import type { Logger } from '../shared/logger.ts';
import { maskSecrets } from '../shared/mask-url.ts';
import { parseCollectorArguments, type CollectorArguments } from './collector-arguments.ts';
import { exitCode, exitCodeOf } from './exit-code.ts';
import { openLog } from './logging.ts';
import { PidFile } from './pid-file.ts';
import { stopSignals } from './stop-signals.ts';

type RunArguments = Extract<CollectorArguments, { kind: 'run' }>;

/** The collector's command line: reads the arguments, runs one collector, and ends the process with its exit code. */
export async function main(args: readonly string[]): Promise<void> {
  const wanted = parseCollectorArguments(args);
  switch (wanted.kind) {
    case 'help':
      console.log(wanted.text);
      return;
    case 'version':
      console.log(`oplogue ${version()}`);
      return;
    case 'wrong':
      console.error(wanted.message);
      return process.exit(exitCode.usage);
    case 'run':
      return process.exit(await run(wanted));
  }
}

/** @returns the exit code */
async function run(wanted: RunArguments): Promise<number> {
  let loaded: LoadedConfig;
  try {
    checkFailpoint();
    loaded = loadConfig({ file: wanted.conf, env: process.env, set: wanted.set });
  } catch (error) {
    console.error(maskSecrets(describeError(error)));
    return exitCodeOf(error);
  }
  if (wanted.check) return check(loaded);
  let log: Awaited<ReturnType<typeof openLog>>;
  try {
    log = await openLog({ ...loaded.config.log, verbose: wanted.verbose, secrets: loaded.config.secrets });
  } catch (error) {
    console.error(maskSecrets(describeError(error)));
    return exitCodeOf(error);
  }
  try {
    return await collect(loaded, log);
  } finally {
    await log.close();
  }
}

/** `--check`: says what the configuration means, and connects to nothing. */
function check({ config, notices }: LoadedConfig): number {
  for (const notice of notices) console.log(notice.text);
  const { tunnel } = config;
  const target = tunnel.kind === 'mock' ? '' : ` ${maskSecrets(tunnel.address)}`;
  console.log(`The configuration is good: ${maskSecrets(config.source.url)} -> ${tunnel.kind}${target}`);
  return exitCode.ok;
}

/** Runs the collector until a signal or a failure. @returns the exit code */
async function collect({ config, notices }: LoadedConfig, logger: Logger): Promise<number> {
  const signals = stopSignals({ logger, exit: (code) => process.exit(code) });
  try {
    using _pidFile = PidFile.acquire({ id: config.id, dir: config.log.dir });
    logger.info(`Oplogue ${version()}, Node ${process.version}, pid ${process.pid}`);
    const armed = checkFailpoint();
    if (armed !== undefined) logger.warn(`Failpoint ${armed.name} is armed (OPLOGUE_FAILPOINT)`);
    for (const notice of notices) logger[notice.level](notice.text);
    await new Collector({ config, version: version(), logger }).run(signals.signal);
    return exitCode.ok;
  } catch (error) {
    // Asked to stop before the replication had begun, while a server was waited for.
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

function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const parsed: { version: string } = JSON.parse(text);
  return parsed.version;
}
