import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SpareConnections } from './spare-connections.ts';

interface FakeConnection {
  isReady: boolean;
  closed: boolean;
  close(): void;
}

const broker = { address: { host: 'a', port: 1 }, answerMaxMs: 5000 };
const other = { address: { host: 'b', port: 1 }, answerMaxMs: 5000 };
const answers = (): Promise<unknown> => Promise.resolve();
const silence = (): Promise<unknown> => new Promise(() => undefined);

let opened: FakeConnection[] = [];

function open(): Promise<FakeConnection> {
  const connection: FakeConnection = {
    isReady: true,
    closed: false,
    close() {
      connection.closed = true;
    },
  };
  opened.push(connection);
  return Promise.resolve(connection);
}

beforeEach(() => {
  opened = [];
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => void vi.useRealTimers());

test('what is wanted is opened once, kept while it answers, and closed when it is not wanted any more', async () => {
  const spares = new SpareConnections<FakeConnection>();
  await spares.keep([broker, broker, other], { open, ping: answers });
  expect(opened).toHaveLength(3);
  await spares.keep([broker, broker, other], { open, ping: answers });
  expect(opened).toHaveLength(3);
  await spares.keep([broker, other], { open, ping: answers });
  expect(opened.map(({ closed }) => closed).filter(Boolean)).toHaveLength(1);
});

test('each is given once, only for its broker and patience, and none that has ended', async () => {
  const spares = new SpareConnections<FakeConnection>();
  await spares.keep([broker, broker], { open, ping: answers });
  expect(spares.take({ ...broker, answerMaxMs: 1 })).toBeUndefined();
  expect(spares.take(other)).toBeUndefined();
  opened[0].isReady = false;
  expect(spares.take(broker)).toBe(opened[1]);
  expect(spares.take(broker)).toBeUndefined();
});

test('one that does not answer in time, or with an error, makes room for another', async () => {
  const spares = new SpareConnections<FakeConnection>();
  await spares.keep([broker], { open, ping: answers });
  const keeping = spares.keep([broker], { open, ping: silence });
  await vi.advanceTimersByTimeAsync(2000);
  await keeping;
  expect(opened[0].closed).toBe(true);
  await spares.keep([broker], { open, ping: answers });
  expect(opened).toHaveLength(2);
  await spares.keep([broker], { open, ping: () => Promise.reject(new Error('reset')) });
  expect(opened[1].closed).toBe(true);
});
