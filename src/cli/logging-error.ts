import { OplogueError } from '../shared/errors.ts';

/** The log cannot be opened at start. */
export class LoggingError extends OplogueError {
  constructor(path: string, cause: unknown) {
    super({
      code: 'LOG_OPEN_FAILED',
      message: `The log file ${path} cannot be opened`,
      hint: 'set log.dir to a folder that this user may write into, or log to standard output with -verbose=2',
      cause,
    });
  }
}
