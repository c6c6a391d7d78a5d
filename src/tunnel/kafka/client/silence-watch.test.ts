import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SilenceWatch, type WatchedConnection } from './silence-watch.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class FakeConnection implements WatchedConnection {
  readonly name = 'broker:9092';
  silentMs = 0;
  isOpen = true;
  reason: Error | undefined;

  close(reason?: Error): void {
    this.isOpen = false;
    this.reason = reason;
  }
}

function watching(connect: () => Promise<FakeConnection>) {
  const used: FakeConnection[] = [];
  const watch = new SilenceWatch<FakeConnection>({ connect, replaceBy: (other) => used.push(other) });
  return { watch, used };
}

const graceMs = 600;

test('a connection that is silent while its broker answers another is replaced by that one', async () => {
  const [silent, other] = [new FakeConnection(), new FakeConnection()];
  const { watch, used } = watching(() => Promise.resolve(other));
  silent.silentMs = 5000;
  watch.check(silent);
  await vi.advanceTimersByTimeAsync(graceMs);
  expect(used).toEqual([other]);
  expect(silent.reason?.message).toBe('no answer from broker:9092 for 5 s, but on a new connection');
  expect(other.isOpen).toBe(true);
});

test('a connection that is answered while another is tried stays', async () => {
  const [woken, other] = [new FakeConnection(), new FakeConnection()];
  const { watch, used } = watching(() => Promise.resolve(other));
  woken.silentMs = 5000;
  watch.check(woken);
  woken.silentMs = 0;
  await vi.advanceTimersByTimeAsync(graceMs);
  expect(used).toEqual([]);
  expect(woken.isOpen).toBe(true);
  expect(other.isOpen).toBe(false);
});

test('a broker that answers nobody is waited for, and asked again and again', async () => {
  const connect = vi.fn<() => Promise<FakeConnection>>(() => Promise.reject(new Error('no answer')));
  const { watch, used } = watching(connect);
  const silent = new FakeConnection();
  silent.silentMs = 5000;
  for (let time = 0; time < 3; time++) {
    watch.check(silent);
    await vi.advanceTimersByTimeAsync(graceMs);
  }
  expect(connect).toHaveBeenCalledTimes(3);
  expect(used).toEqual([]);
  expect(silent.isOpen).toBe(true);
});

test('a broker that is slow to answer is given twice the time after each replacement in a row', async () => {
  const { watch, used } = watching(() => Promise.resolve(new FakeConnection()));
  const patienceOf = async (): Promise<number> => {
    const slow = new FakeConnection();
    for (slow.silentMs = 1000; slow.isOpen; slow.silentMs += 1000) {
      watch.check(slow);
      await vi.advanceTimersByTimeAsync(graceMs);
    }
    return slow.silentMs - 1000;
  };
  const patiences = [await patienceOf(), await patienceOf(), await patienceOf(), await patienceOf()];
  expect(patiences).toEqual([4000, 8000, 16_000, 20_000]);
  watch.answered();
  expect(await patienceOf()).toBe(4000);
  expect(used).toHaveLength(5);
});
