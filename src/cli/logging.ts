import { isAbsolute, join } from 'node:path';
import pino from 'pino';
import type { LogConfig } from '../config/config.ts';
import { describeError, OplogueError } from '../shared/errors.ts';
import { parseExactJson } from '../shared/exact-json.ts';
import type { Logger } from '../shared/logger.ts';
import { LogFile, type LogFileOptions } from './log-file.ts';
import { jsonLine, textLine, withoutSecrets, type LogRecord } from './log-line.ts';
import { LoggingError } from './logging-error.ts';
import type { Verbosity } from './process-arguments.ts';

/** The folder of the log when `log.dir` is empty, as in MongoShake. */
const defaultFolder = 'logs';
/** Lines for a reader of standard output that does not read are dropped beyond this. */
const consoleBytesMax = 1024 * 1024;

/** The logger of the process, and its end. */
export interface Logging extends Logger {
  /** The last words before the process ends; also on standard output when that is not written otherwise. */
  fatal(fields: object | string, message?: string): void;
  /** Writes what waits. */
  close(): Promise<void>;
}

/** The keys of the log, and what the command line adds. */
export interface LoggingOptions extends LogConfig {
  readonly verbose: Verbosity;
  /** Texts that no line may hold. */
  readonly secrets: readonly string[];
  /** Standard output; another stream in tests. */
  readonly console?: NodeJS.WritableStream & { readonly writableLength: number };
  readonly now?: () => Date;
}

/**
 * Opens the log: lines in MongoShake's layout, or JSON, in the log file (`verbose` 0), on standard output (2) or
 * both (1). Secrets are masked in every line. Trouble with the disk never reaches the one who logs.
 * @throws LoggingError when the file cannot be opened.
 */
export async function openLog(options: LoggingOptions): Promise<Logging> {
  const { level, verbose, secrets, console = process.stdout, now = () => new Date() } = options;
  const format = options.format === 'json' ? jsonLine : textLine;
  const lossLine = (lines: number, reason: string): string =>
    format({
      time: now().getTime(),
      level: pino.levels.values['warn'] ?? 0,
      msg: `${lines} log lines were lost: ${reason}`,
    });
  const file = verbose === 2 ? undefined : await openFile({ ...options, lossLine, now });
  // Whoever reads standard output may go away; that is no reason to end.
  console.on('error', () => {});

  const writeRecord = (json: string): void => {
    const record = asRecord(withoutSecrets(parseExactJson(json), secrets));
    const line = format(record);
    file?.write(line);
    const isFatal = record.level === pino.levels.values['fatal'];
    if ((verbose > 0 || isFatal) && console.writableLength < consoleBytesMax) console.write(`${line}\n`);
  };
  const logger = pino(
    {
      level: level === 'warning' ? 'warn' : level,
      base: null,
      timestamp: () => `,"time":${now().getTime()}`,
      serializers: { err: errorText, error: errorText },
    },
    { write: writeRecord },
  );
  return Object.assign(logger, { close: () => file?.close() ?? Promise.resolve() });
}

async function openFile(options: LogConfig & Pick<LogFileOptions, 'lossLine' | 'now'>): Promise<LogFile> {
  const { dir, file, fileBytesMax: bytesMax } = options;
  const path = isAbsolute(file) ? file : join(dir || defaultFolder, file);
  try {
    return await LogFile.open({ ...options, path, bytesMax });
  } catch (error) {
    throw new LoggingError(path, error);
  }
}

// What we throw ourselves says what to do; the rest needs its stack.
function errorText(error: unknown): unknown {
  if (error instanceof OplogueError) return describeError(error);
  return error instanceof Error ? (error.stack ?? describeError(error)) : error;
}

function asRecord(value: unknown): LogRecord {
  return isRecord(value) ? value : { time: Date.now(), level: 30, msg: String(value) };
}

function isRecord(value: unknown): value is LogRecord {
  return typeof value === 'object' && value !== null && 'time' in value && 'level' in value;
}
