import type { Logger } from '../shared/logger.ts';

/**
 * SIGTERM and SIGINT stop the collector in order; a second one ends the process at once.
 * @returns a signal that aborts at the first of them, and a way to stop listening.
 */
export function stopSignals(options: { logger: Logger; exit: (code: number) => void }): {
  signal: AbortSignal;
  release(): void;
} {
  const stop = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (stop.signal.aborted) {
      options.logger.warn(`${name} again: ending at once`);
      options.exit(FORCED_EXIT_CODE);
      return;
    }
    options.logger.info(`${name}: stopping; once more to end at once`);
    stop.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return {
    signal: stop.signal,
    release(): void {
      process.off('SIGTERM', onSignal);
      process.off('SIGINT', onSignal);
    },
  };
}

/** What a shell reports for a process that SIGINT ended. */
const FORCED_EXIT_CODE = 130;
