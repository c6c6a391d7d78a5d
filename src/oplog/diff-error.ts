import { OplogueError } from '../shared/errors.ts';

/** A `$v: 2` update says something that we do not know: a newer server wrote it. */
export class DiffError extends OplogueError {
  constructor(what: string) {
    super({
      code: 'DIFF_UNSUPPORTED',
      message: `An update of the oplog cannot be applied: ${what}`,
      hint: 'a newer version of MongoDB may have written it: look for a newer version of Oplogue',
    });
  }
}
