import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { RawTag, ReplyCode } from '../../src/message/raw-message.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { Tunnel } from '../../src/tunnel/tunnel.ts';
import { startTcpProxy } from '../../testbed/start-tcp-proxy.ts';
import { makeHeader, readEntry } from '../support/oplog-entry.ts';
import {
  freePortPair,
  makeReceiver,
  makeSocketTunnel,
  RecordingHandler,
  type SocketKind,
} from '../support/socket-tunnel-under-test.ts';

const LANES = 3;
const never = new AbortController().signal;
const PATIENCE = { timeout: 30_000 };

function newBudget(): MemoryBudget {
  return new MemoryBudget(64 * 1024 * 1024);
}

async function listening(
  kind: SocketKind,
  port: number,
  handler: RecordingHandler,
): Promise<AsyncDisposable> {
  const receiver = makeReceiver(kind, { port });
  await receiver.open(handler, never);
  return receiver;
}

/** Appends and flushes entries; returns the numbers whose receipts have come, as they come. */
async function send(tunnel: Tunnel, from: number, to: number): Promise<Set<number>> {
  const done = new Set<number>();
  for (let number = from; number < to; number++) {
    const lane = number % LANES;
    await tunnel.lane(lane).append(makeHeader({ lane, number, padBytes: number % 900 }));
    tunnel.lane(lane).flush(() => done.add(number));
  }
  return done;
}

/** The first coming of each entry, by lane. */
function firstComings(handlers: readonly RecordingHandler[]): number[][] {
  const lanes: number[][] = Array.from({ length: LANES }, () => []);
  const seen = new Set<number>();
  for (const entry of handlers.flatMap(({ logs }) => logs).map(readEntry)) {
    if (!seen.has(entry.number)) lanes[entry.lane].push(entry.number);
    seen.add(entry.number);
  }
  return lanes;
}

function numbersOfLane(lane: number, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i).filter((number) => number % LANES === lane);
}

describe.each(['tcp', 'rpc'] as const)('tunnel %s', (kind) => {
  it('sends everything again that was not acknowledged when its connections are cut (I3)', async () => {
    const handler = new RecordingHandler();
    const port = await freePortPair();
    await using _receiver = await listening(kind, port, handler);
    const front = await freePortPair();
    await using proxy = await startTcpProxy(`127.0.0.1:${port}`, front);
    await using acks = await startTcpProxy(`127.0.0.1:${port + 1}`, front + 1);
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port: front }],
      lanes: LANES,
      budget: newBudget(),
    });
    await tunnel.open(never);
    let sent = 1;
    for (let round = 0; round < 8; round++) {
      await send(tunnel, sent, sent + 500);
      sent += 500;
      for (const way of [proxy, acks]) way.cut();
      await vi.waitFor(() => expect(tunnel.trouble).toContain(`127.0.0.1:${front}`), PATIENCE);
      for (const way of [proxy, acks]) way.resume();
    }
    await tunnel.drain(never);
    for (const [lane, numbers] of firstComings([handler]).entries()) {
      expect(numbers).toEqual(numbersOfLane(lane, 1, sent));
    }
    expect(tunnel.trouble).toBeUndefined();
    expect(tunnel.failed.aborted).toBe(false);
  });

  it('gives no receipt for what a receiver took to its grave, and sends it to the next one (I3)', async () => {
    const port = await freePortPair();
    const first = new RecordingHandler();
    const receiver = await listening(kind, port, first);
    const budget = newBudget();
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port }],
      lanes: LANES,
      budget,
    });
    await tunnel.open(never);
    const before = await send(tunnel, 1, 300);
    await tunnel.drain(never);
    expect(before.size).toBe(299);
    first.refuse = () => 0n;
    const lost = await send(tunnel, 300, 600);
    await receiver[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(tunnel.trouble).toContain('refused'), PATIENCE);
    expect(lost.size).toBe(0);
    const second = new RecordingHandler();
    await using _next = await listening(kind, port, second);
    await tunnel.drain(never);
    expect(lost.size).toBe(300);
    for (const [lane, numbers] of firstComings([first, second]).entries()) {
      expect(numbers).toEqual(numbersOfLane(lane, 1, 600));
    }
    expect(budget.usedBytes).toBe(0);
  });

  it.each([
    ReplyCode.error,
    ReplyCode.retransmission,
    ReplyCode.serverFault,
    ReplyCode.checksumInvalid,
    ReplyCode.compressorNotSupported,
  ])('sends again, marked so, what is refused with %i, and says so', async (code) => {
    const port = await freePortPair();
    const handler = new RecordingHandler();
    await using _receiver = await listening(kind, port, handler);
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port }],
      lanes: LANES,
      budget: newBudget(),
    });
    await tunnel.open(never);
    // As MongoShake's receiver: from the first bad message on it takes nothing but a retransmission.
    let bad = 3;
    let wantsAll = false;
    handler.refuse = ({ tag, shard, bytes }) => {
      if (shard !== 0) return undefined;
      const isAgain = (tag & RawTag.retransmission) !== 0;
      if (isAgain && bad === 0) wantsAll = false;
      if (wantsAll) return isAgain ? BigInt(code) : BigInt(ReplyCode.retransmission);
      if (bad === 0 || bytes.length < 100) return undefined;
      bad--;
      wantsAll = bad === 0;
      return BigInt(code);
    };
    await send(tunnel, 1, 200);
    await vi.waitFor(() => expect(tunnel.trouble).toContain('refused a message'), {
      timeout: 30_000,
      interval: 1,
    });
    await tunnel.drain(never);
    for (const [lane, numbers] of firstComings([handler]).entries()) {
      expect(numbers).toEqual(numbersOfLane(lane, 1, 200));
    }
    expect(handler.retransmissions).toBeGreaterThan(0);
    expect(tunnel.traffic.retries).toBeGreaterThan(0);
    await vi.waitFor(() => expect(tunnel.trouble).toBeUndefined(), PATIENCE);
  });

  it('leads lane i to receiver i modulo their number', async () => {
    const ports = [await freePortPair(), await freePortPair()];
    const handlers = [new RecordingHandler(), new RecordingHandler()];
    await using _one = await listening(kind, ports[0], handlers[0]);
    await using _two = await listening(kind, ports[1], handlers[1]);
    await using tunnel = makeSocketTunnel(kind, {
      addresses: ports.map((port) => ({ host: '127.0.0.1', port })),
      lanes: LANES,
      budget: newBudget(),
    });
    await tunnel.open(never);
    await send(tunnel, 1, 100);
    await tunnel.drain(never);
    const lanesOf = handlers.map(({ logs }) =>
      [...new Set(logs.map((log) => readEntry(log).lane))].toSorted((a, b) => a - b),
    );
    expect(lanesOf).toEqual([[0, 2], [1]]);
  });

  it.each<[string, (socket: Socket) => void]>([
    ['bytes that mean nothing', (socket) => socket.write(Buffer.alloc(100, 0xee))],
    ['a huge length', (socket) => socket.write(Buffer.from('cafe0103000000007fffffff', 'hex'))],
    ['half an answer', (socket) => socket.end(Buffer.from('cafe0103', 'hex'))],
    ['an end at once', (socket) => socket.end()],
    ['a reset', (socket) => socket.resetAndDestroy()],
    [
      'an ack far beyond',
      (socket) => socket.write(Buffer.from('cafe0103000000000000000870ffffffffffffff', 'hex')),
    ],
  ])('is told %s: no receipt, no harm, and trouble is said', async (_, answer) => {
    const port = await freePortPair();
    const servers = [await lyingServer(port, answer), await lyingServer(port + 1, answer)];
    const budget = newBudget();
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port }],
      lanes: LANES,
      budget,
    });
    const opened = tunnel.open(never);
    opened.catch(() => {});
    const done = await send(tunnel, 1, 50);
    await vi.waitFor(() => expect(tunnel.trouble).toBeDefined(), PATIENCE);
    expect(done.size).toBe(0);
    for (const server of servers) server.close();
    for (const socket of open) socket.destroy();
    const handler = new RecordingHandler();
    await using _receiver = await listening(kind, port, handler);
    await tunnel.drain(never);
    await opened;
    for (const [lane, numbers] of firstComings([handler]).entries()) {
      expect(numbers).toEqual(numbersOfLane(lane, 1, 50));
    }
    expect(tunnel.trouble).toBeUndefined();
    expect(budget.usedBytes).toBe(0);
  });
});

const open = new Set<Socket>();

/** Gives the same answer to everybody, as soon as something is said. */
async function lyingServer(port: number, answer: (socket: Socket) => void): Promise<Server> {
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.once('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve);
  });
  onTestFinished(() => {
    server.close();
    for (const socket of open) socket.destroy();
  });
  return server;
}
