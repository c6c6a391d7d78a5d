import { OplogueError } from '../shared/errors.ts';

/** Text that is not the JSON of an oplog entry. */
export class JsonMessageError extends OplogueError {
  constructor(bytes: number, cause: unknown) {
    const why = cause instanceof Error ? cause.message : String(cause);
    super({ code: 'JSON_MESSAGE', message: `Bad json message of ${bytes} bytes: ${why}`, cause });
  }
}
