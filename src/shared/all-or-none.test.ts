import { expect, test } from 'vitest';
import { allOrNone } from './all-or-none.ts';
import { sleep } from './sleep.ts';

test('all results come in order', async () => {
  expect(await allOrNone(() => [Promise.resolve(1), Promise.resolve('two')])).toEqual([1, 'two']);
});

test('when one fails the others are told, and have ended before the failure is thrown', async () => {
  const events: string[] = [];
  const slow = async (signal: AbortSignal): Promise<void> => {
    await sleep(60_000, signal);
    events.push(`ended, ${signal.aborted ? 'told' : 'not told'}`);
  };
  const failure = new Error('no right');
  await expect(allOrNone((signal) => [slow(signal), Promise.reject(failure)])).rejects.toBe(failure);
  expect(events).toEqual(['ended, told']);
});
