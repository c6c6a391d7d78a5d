import { sleep } from './sleep.ts';

/**
 * Asks, and asks once more when there is no answer after `afterMs`: the first answer counts. For what may be done twice.
 * @throws why the first one failed, when there is no answer at all
 */
export async function hedged<T>(ask: () => Promise<T>, afterMs: number): Promise<T> {
  const first = ask();
  const answered = new AbortController();
  try {
    const late = sleep(afterMs, answered.signal).then(() => true);
    const isLate = await Promise.race([first.then(() => false), late]);
    return isLate ? await Promise.any([first, ask()]) : await first;
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    answered.abort();
  }
}
