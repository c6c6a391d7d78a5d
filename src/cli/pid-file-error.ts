import { OplogueError } from '../shared/errors.ts';

/** The pid file cannot be taken. */
export class PidFileError extends OplogueError {
  /** @param options.pid the process that holds it; undefined when the file cannot be written at all. */
  constructor(options: { path: string; pid: number | undefined; cause?: unknown }) {
    const { path, pid, cause } = options;
    super(
      pid === undefined
        ? {
            code: 'PID_FILE_FAILED',
            message: `The pid file ${path} cannot be written`,
            hint: 'set log.dir to a folder that this user may write into',
            cause,
          }
        : {
            code: 'PID_FILE_HELD',
            message: `Process ${pid} runs with the same id: it holds the pid file ${path}`,
            hint: `stop process ${pid}, or give this collector another id`,
          },
    );
  }
}
