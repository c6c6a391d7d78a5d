import { OplogueError } from '../shared/errors.ts';

/** Bytes that are not a raw message; `replyCode` is what a MongoShake receiver answers to them. */
export class RawMessageError extends OplogueError {
  readonly replyCode: number;

  constructor(what: string, options: { replyCode: number; cause?: unknown }) {
    super({ code: 'RAW_MESSAGE', message: `Bad raw message: ${what}`, cause: options.cause });
    this.replyCode = options.replyCode;
  }
}
