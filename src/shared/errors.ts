/**
 * What the life of a replication should do about an error. It is fixed where the error is made:
 * - `again`: a passing condition; the code nearest to it retries.
 * - `restart`: start this replication anew from its checkpoint.
 * - `fatal`: only a person can help; the process ends with the message.
 */
export type Retry = 'again' | 'restart' | 'fatal';

export interface OplogueErrorOptions {
  /** Stable, documented in docs/errors.md, upper case with underscores. */
  readonly code: string;
  /** What happened and where. Sentence case, no full stop, never a password. */
  readonly message: string;
  /** The next step for the user. */
  readonly hint?: string;
  readonly retry?: Retry;
  readonly cause?: unknown;
}

/** The root of every error that this project throws on purpose. */
export class OplogueError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  readonly retry: Retry;

  constructor(options: OplogueErrorOptions) {
    super(options.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = options.code;
    this.hint = options.hint;
    this.retry = options.retry ?? 'fatal';
  }
}

/**
 * Whether the replication should begin again after this error, in this process, from where everything is known to be done. So it
 * should after a passing condition that nothing nearer has retried: a server that froze while the start position was asked for.
 */
export function isRestartable(error: unknown): boolean {
  return error instanceof OplogueError && error.retry !== 'fatal';
}

/** An invariant of our own is broken: a bug of Oplogue, never the user's fault. */
export class AssertionError extends OplogueError {
  constructor(message: string) {
    super({
      code: 'ASSERTION',
      message,
      hint: 'this is a bug of Oplogue: please report it with the log around this line',
    });
  }
}

/** The text of an error for a log line or a person: message, causes, and the next step. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  const seen = new Set<unknown>();
  let hint: string | undefined;
  for (let e: unknown = error; e !== undefined && e !== null && !seen.has(e);) {
    seen.add(e);
    if (e instanceof Error) {
      const { message } = e;
      // Clients like to repeat the message of the cause in their own.
      if (message !== '' && !parts.some((part) => part.includes(message))) parts.push(message);
      if (e instanceof OplogueError) hint ??= e.hint;
      e = e.cause;
    } else {
      parts.push(typeof e === 'string' ? e : JSON.stringify(e));
      break;
    }
  }
  return parts.join(': ') + (hint === undefined ? '' : `; ${hint}`);
}
