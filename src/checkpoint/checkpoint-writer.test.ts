import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ReplicationStats } from '../metrics/replication-stats.ts';
import { silentLogger } from '../shared/logger.ts';
import { CheckpointWriter } from './checkpoint-writer.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint-store.ts';

/** A store that can be switched off. */
class SwitchableStore implements CheckpointStore {
  ofTerm(): this {
    return this;
  }

  async claim(): Promise<void> {}

  saved: bigint[] = [];
  attempts = 0;
  isAway = false;

  load(): Promise<Checkpoint | undefined> {
    return Promise.resolve(undefined);
  }

  save(checkpoint: Checkpoint): Promise<void> {
    this.attempts++;
    if (this.isAway) return Promise.reject(new Error('the store is away'));
    this.saved.push(checkpoint.position);
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

function setUp(options: { maxAgeMs?: number } = {}) {
  const store = new SwitchableStore();
  const acks = { watermark: 100n };
  const stats = new ReplicationStats('rs0', 1);
  const writer = new CheckpointWriter({
    store,
    acks,
    stats,
    logger: silentLogger,
    fetchMethod: 'oplog',
    intervalMs: 1000,
    maxAgeMs: options.maxAgeMs ?? 0,
  });
  writer.start();
  return { store, acks, stats, writer };
}

describe('CheckpointWriter', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('writes on its timer, and only when the watermark has moved', async () => {
    const { store, acks, stats, writer } = setUp();
    await vi.advanceTimersByTimeAsync(3000);
    expect(store.saved).toEqual([]);
    acks.watermark = 200n;
    await vi.advanceTimersByTimeAsync(3000);
    expect(store.saved).toEqual([200n]);
    expect(stats).toMatchObject({ lastCheckpoint: 200n, checkpointsWritten: 1 });
    await writer.stop();
  });

  test('stop writes what the timer has not', async () => {
    const { store, acks, writer } = setUp();
    acks.watermark = 300n;
    await writer.stop();
    expect(store.saved).toEqual([300n]);
  });

  test('a store that is away is tried again until it is back, and the newest watermark is stored', async () => {
    const { store, acks, stats, writer } = setUp();
    store.isAway = true;
    acks.watermark = 200n;
    await vi.advanceTimersByTimeAsync(20_000);
    expect(stats.checkpointFailures).toBeGreaterThan(5);
    expect(writer.ageMs).toBeGreaterThan(18_000);
    acks.watermark = 250n;
    store.isAway = false;
    await vi.advanceTimersByTimeAsync(1500);
    expect(store.saved).toEqual([250n]);
    expect(writer.ageMs).toBe(0);
    await writer.stop();
  });

  test('after checkpoint.max_age it fails and says where the checkpoint stays', async () => {
    const { store, acks, writer } = setUp({ maxAgeMs: 10_000 });
    store.isAway = true;
    acks.watermark = 200n;
    await vi.advanceTimersByTimeAsync(9000);
    expect(writer.failed.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(4000);
    expect(writer.failed.aborted).toBe(true);
    expect(writer.failed.reason).toMatchObject({ code: 'CHECKPOINT_TOO_OLD' });
  });

  test('an idle source without anything to store never grows old', async () => {
    const { writer } = setUp({ maxAgeMs: 1000 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(writer.failed.aborted).toBe(false);
    await writer.stop();
  });

  test('stop does not wait for ever for a store that hangs', async () => {
    const { store, acks, writer } = setUp();
    acks.watermark = 200n;
    store.save = () => new Promise(() => undefined);
    const [stopped] = await Promise.allSettled([writer.stop(), vi.advanceTimersByTimeAsync(11_000)]);
    expect(stopped).toMatchObject({
      status: 'rejected',
      reason: expect.objectContaining({
        message: expect.stringContaining('within 10000 ms'),
      }),
    });
  });
});
