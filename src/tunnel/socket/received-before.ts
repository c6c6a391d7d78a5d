import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeError } from '../../shared/errors.ts';
import type { Logger } from '../../shared/logger.ts';

/**
 * Remembers in a file whether a receiver has ever taken entries. One that has, and begins anew, may have lost what was in its memory, and a
 * MongoShake collector sends that again only when it is asked.
 */
export class ReceivedBefore {
  /** Whether a receiver before this one has taken entries. */
  readonly atStart: boolean;
  readonly #path: string;
  readonly #logger: Logger;
  #isNoted: boolean;

  constructor(path: string, logger: Logger) {
    this.#path = path;
    this.#logger = logger;
    this.atStart = existsSync(path);
    this.#isNoted = this.atStart;
  }

  /** Called when entries come in. */
  note(): void {
    if (this.#isNoted) return;
    this.#isNoted = true;
    try {
      mkdirSync(dirname(this.#path), { recursive: true });
      writeFileSync(
        this.#path,
        'This receiver has taken entries: after a start it asks senders for what it may have lost.\n',
      );
    } catch (error) {
      this.#logger.warn(
        `tunnel.restart_file cannot be written: ${describeError(error)}; after a restart a MongoShake collector is not asked for what was lost`,
      );
    }
  }
}
