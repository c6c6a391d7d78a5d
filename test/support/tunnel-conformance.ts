import { expect, it, onTestFinished } from 'vitest';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { Tunnel } from '../../src/tunnel/tunnel.ts';
import { makeHeader, readEntry } from './oplog-entry.ts';

/** One tunnel with its far side. What a far side cannot do is left out, and its expectations with it. */
export interface TunnelUnderTest extends AsyncDisposable {
  /** Carries the entries' own bytes: raw or bson messages. Not opened yet. */
  readonly tunnel: Tunnel;
  /** The entries that the far side holds, as BSON, in its order. */
  readonly received?: () => Promise<Buffer[]>;
  /** From now on the far side makes nothing durable, until the returned function is called. */
  readonly stall?: () => Promise<() => Promise<void>>;
  /** Breaks the far side so that no retry helps. */
  readonly breakForGood?: () => Promise<void>;
}

export type MakeTunnel = (options: { lanes: number; budget: MemoryBudget }) => Promise<TunnelUnderTest>;

/** What a far side offers, for the expectations that need it. */
export interface TunnelAbilities {
  readonly received: boolean;
  readonly stall: boolean;
  readonly breakForGood: boolean;
}

const LANES = 3;
const never = new AbortController().signal;

/** The expectations that hold for every tunnel (tunnel.ts), as tests of the enclosing `describe`. */
export function itConforms(make: MakeTunnel, can: TunnelAbilities): void {
  async function opened(limitBytes = 64 * 1024 * 1024): Promise<TunnelUnderTest & { budget: MemoryBudget }> {
    const budget = new MemoryBudget(limitBytes);
    const made = await make({ lanes: LANES, budget });
    onTestFinished(() => made[Symbol.asyncDispose]());
    await made.tunnel.open(never);
    return Object.assign(made, { budget });
  }

  it('gives the same writer for the same lane', async () => {
    const { tunnel } = await opened();
    expect(tunnel.lane(1)).toBe(tunnel.lane(1));
    expect(tunnel.lane(0)).not.toBe(tunnel.lane(1));
  });

  it('gives the receipts of a lane once each, in the order of the flushes, and all before drain ends', async () => {
    const { tunnel, budget } = await opened();
    const receipts: number[][] = Array.from({ length: LANES }, () => []);
    for (let number = 0; number < 300; number++) {
      const lane = number % LANES;
      await tunnel.lane(lane).append(makeHeader({ lane, number }));
      tunnel.lane(lane).flush(() => receipts[lane].push(number));
    }
    await tunnel.drain(never);
    for (let lane = 0; lane < LANES; lane++) {
      expect(receipts[lane]).toEqual(Array.from({ length: 100 }, (_, i) => i * LANES + lane));
      expect(tunnel.lane(lane).pendingBytes).toBe(0);
    }
    expect(budget.usedBytes).toBe(0);
    expect(tunnel.trouble).toBeUndefined();
    expect(tunnel.failed.aborted).toBe(false);
  });

  it('gives a receipt for a flush of nothing', async () => {
    const { tunnel } = await opened();
    const receipt = new Promise<void>((resolve) => {
      tunnel.lane(0).flush(resolve);
    });
    await expect(receipt).resolves.toBeUndefined();
  });

  it('ends a drain that is aborted', async () => {
    const { tunnel } = await opened();
    await expect(tunnel.drain(AbortSignal.abort())).resolves.toBeUndefined();
  });

  if (can.received) itKeepsOrder(opened);
  if (can.stall) itHoldsBack(opened);
  if (can.breakForGood) itFails(opened);
}

type Opened = (limitBytes?: number) => Promise<TunnelUnderTest & { budget: MemoryBudget }>;

function itKeepsOrder(opened: Opened): void {
  it('takes the bytes of an entry before append returns', async () => {
    const { tunnel, received } = await opened();
    const header = makeHeader({ lane: 0, number: 7 });
    void tunnel.lane(0).append(header);
    header.bytes.fill(0xff);
    tunnel.lane(0).flush(() => {});
    await tunnel.drain(never);
    expect(((await received?.()) ?? []).map(readEntry)).toEqual([{ lane: 0, number: 7 }]);
  });

  it('brings every entry once and keeps the order of each lane (I2)', async () => {
    const { tunnel, received } = await opened();
    for (let number = 0; number < 6000; number++) {
      const lane = (number * 7) % LANES;
      await tunnel.lane(lane).append(makeHeader({ lane, number, padBytes: number % 500 }));
      if (number % 97 === 0) tunnel.lane(lane).flush(() => {});
    }
    for (let lane = 0; lane < LANES; lane++) tunnel.lane(lane).flush(() => {});
    await tunnel.drain(never);
    const entries = ((await received?.()) ?? []).map(readEntry);
    expect(entries).toHaveLength(6000);
    for (let lane = 0; lane < LANES; lane++) {
      const numbers = entries.filter((entry) => entry.lane === lane).map((entry) => entry.number);
      expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
      expect(new Set(numbers).size).toBe(2000);
    }
  });

  it('has at the far side whatever a receipt was given for (I3)', async () => {
    const { tunnel, received } = await opened();
    for (let number = 0; number < 5; number++) {
      await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
      await new Promise<void>((resolve) => {
        tunnel.lane(0).flush(resolve);
      });
      expect(((await received?.()) ?? []).map(readEntry).at(-1)).toEqual({ lane: 0, number });
    }
  });
}

function itHoldsBack(opened: Opened): void {
  it('gives no receipt and makes append wait while the far side stalls, then goes on (I3, I4)', async () => {
    const limitBytes = 8 * 1024 * 1024;
    const { tunnel, stall, budget } = await opened(limitBytes);
    const resume = await stall?.();
    let receipts = 0;
    let given = 0;
    let waiting: Promise<void> | undefined;
    while (waiting === undefined && given < 2000) {
      waiting = tunnel.lane(0).append(makeHeader({ lane: 0, number: given, padBytes: 16 * 1024 }));
      tunnel.lane(0).flush(() => receipts++);
      given++;
    }
    expect(waiting).toBeInstanceOf(Promise);
    expect(budget.usedBytes).toBeLessThanOrEqual(limitBytes);
    expect(tunnel.lane(0).pendingBytes).toBeGreaterThan(0);
    expect(receipts).toBe(0);
    await resume?.();
    await waiting;
    await tunnel.drain(never);
    expect(receipts).toBe(given);
    expect(tunnel.lane(0).pendingBytes).toBe(0);
  });

  it('holds a drain back while the far side stalls', async () => {
    const { tunnel, stall } = await opened();
    const resume = await stall?.();
    let durable = false;
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1 }));
    tunnel.lane(0).flush(() => {
      durable = true;
    });
    const stop = new AbortController();
    const drained = tunnel.drain(stop.signal);
    stop.abort();
    await drained;
    expect(durable).toBe(false);
    await resume?.();
    await tunnel.drain(never);
    expect(durable).toBe(true);
  });
}

function itFails(opened: Opened): void {
  it('aborts `failed` with the reason and gives no receipt when nothing helps', async () => {
    const { tunnel, breakForGood } = await opened();
    await breakForGood?.();
    let receipts = 0;
    const failed = new Promise<void>((resolve) => {
      tunnel.failed.addEventListener('abort', () => resolve(), { once: true });
    });
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1 }));
    tunnel.lane(0).flush(() => receipts++);
    await failed;
    expect(tunnel.failed.reason).toBeInstanceOf(Error);
    expect(receipts).toBe(0);
  });
}
