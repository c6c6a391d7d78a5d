import { OplogueError } from '../shared/errors.ts';

/** Bytes that are not BSON; `at` is the offset in the buffer that was read. */
export class MalformedBsonError extends OplogueError {
  readonly at: number;

  constructor(what: string, at: number) {
    super({ code: 'MALFORMED_BSON', message: `Malformed BSON at byte ${at}: ${what}` });
    this.at = at;
  }
}
