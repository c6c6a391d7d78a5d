import { sleep } from '../src/shared/sleep.ts';
import { TestbedError } from './testbed-error.ts';

export interface EventuallyOptions {
  /** Said when it never comes true. */
  readonly what: string;
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Added to the error, for example the end of a log. */
  readonly detail?: () => string;
  /** Checked each time; throws when waiting on is pointless. */
  readonly giveUp?: () => void;
}

/**
 * Waits until `condition` answers something other than false, undefined or null, and returns that. A condition that
 * throws counts as not yet.
 * @throws TestbedError after `timeoutMs` (default 30 s), with the last error as its cause.
 */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  options: EventuallyOptions,
): Promise<NonNullable<T>> {
  const deadline = performance.now() + (options.timeoutMs ?? 30_000);
  let lastError: unknown;
  for (;;) {
    options.giveUp?.();
    try {
      const answer = await condition();
      if (answer !== false && answer !== undefined && answer !== null) return answer;
      lastError = undefined;
    } catch (error) {
      lastError = error;
    }
    if (performance.now() > deadline) {
      const detail = options.detail === undefined ? '' : `\n${options.detail()}`;
      throw new TestbedError(`Waited in vain for ${options.what}${detail}`, undefined, lastError);
    }
    await sleep(options.everyMs ?? 50);
  }
}
