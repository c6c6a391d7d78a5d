import { open } from 'node:fs/promises';
import { describeError } from '../shared/errors.ts';
import { ReplayerError } from './replayer-error.ts';

/** What could not be applied. */
export interface DeadLetterRecord {
  /** ISO 8601. */
  readonly time: string;
  readonly error: string;
  /** Where it came from: `address:port`, `topic-0@1234`, `path@1234`. */
  readonly from: string;
  /** `entry`: `bytes` is the BSON of one entry; `message`: a whole message that could not be read. */
  readonly kind: 'entry' | 'message';
  readonly ns?: string;
  readonly op?: string;
  /** `seconds:increment` */
  readonly position?: string;
  /** Base64. */
  readonly bytes: string;
}

/** The file of `replayer.on_error = dead_letter`. */
export class DeadLetter {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** Appends one line, and resolves when it is on disk. @throws ReplayerError when it cannot be written */
  async add(record: DeadLetterRecord): Promise<void> {
    try {
      const file = await open(this.#path, 'a', 0o640);
      try {
        await file.appendFile(`${JSON.stringify(record)}\n`);
        await file.datasync();
      } finally {
        await file.close();
      }
    } catch (cause) {
      throw new ReplayerError({
        code: 'DEAD_LETTER',
        message: `replayer.dead_letter ${this.#path} cannot be written: ${describeError(cause)}`,
        hint: 'give the path of a file that the receiver may write; nothing was left out',
        cause,
      });
    }
  }
}
