import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { deadlineSignal } from './deadline-signal.ts';
import { sleep } from './sleep.ts';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

function aborted(timeoutMs: number, other: AbortSignal): Promise<unknown> {
  const signal = deadlineSignal(timeoutMs, other);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });
}

test('aborts in time though the garbage has been collected meanwhile', async () => {
  const reason = aborted(300, new AbortController().signal);
  for (let time = 0; time < 5; time++) {
    collectGarbage();
    await sleep(20);
  }
  expect(await reason).toMatchObject({ name: 'TimeoutError' });
});

test('aborts with any other signal', async () => {
  const other = new AbortController();
  const reason = aborted(60_000, other.signal);
  other.abort('over');
  expect(await reason).toBe('over');
});
