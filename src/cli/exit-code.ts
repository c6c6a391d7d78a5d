import { ConfigError, type ConfigMistakeKind } from '../config/config-error.ts';
import { FailpointInvalidError } from '../shared/failpoint.ts';
import { LoggingError } from './logging-error.ts';
import { PidFileError } from './pid-file-error.ts';

/**
 * How the collector's process ends. MongoShake passes negative numbers to exit, of which a shell sees the lowest eight
 * bits: -1 is 255. Its scripts and supervisors may know these numbers, so they are the same here.
 */
export const exitCode = {
  /** Stopped by a signal, by the exit point, or by Shutdown, with everything durable and a checkpoint written. */
  ok: 0,
  /** Wrong arguments, or a bug of ours. */
  usage: 2,
  crash: 2,
  /** A second signal while stopping. */
  interrupted: 130,
  /** The replication failed, or could not begin. */
  replication: 250,
  configVersion: 251,
  configCheck: 252,
  /** Another process holds the pid file; MongoShake says 0 here. */
  pidFileHeld: 253,
  configParse: 254,
  logging: 254,
  configOpen: 255,
} as const;

const byMistake: Readonly<Record<ConfigMistakeKind, number>> = {
  open: exitCode.configOpen,
  version: exitCode.configVersion,
  parse: exitCode.configParse,
  check: exitCode.configCheck,
};

/** The exit code for an error that ends the process. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return byMistake[error.kind];
  if (error instanceof FailpointInvalidError) return exitCode.usage;
  if (error instanceof PidFileError) return exitCode.pidFileHeld;
  return error instanceof LoggingError ? exitCode.logging : exitCode.replication;
}
