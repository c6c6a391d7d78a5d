import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { makeHeader, readEntry } from '../support/oplog-entry.ts';
import {
  freePortPair,
  makeReceiver,
  makeSocketTunnel,
  RecordingHandler,
} from '../support/socket-tunnel-under-test.ts';

const never = new AbortController().signal;
const SEED = 20_201_128;
const FUZZ_MS = 6000;
const PATIENCE = { timeout: 30_000 };
const MIB = 1024 * 1024;

interface Vectors {
  readonly tcp: {
    readonly writer: { readonly transfer_socket_hex: string };
    readonly reader: { readonly steps: ReadonlyArray<{ readonly answer_hex: string }> };
  };
  readonly rpc: {
    readonly steps: ReadonlyArray<{
      readonly client_to_server_hex: string;
      readonly server_to_client_hex: string;
    }>;
  };
}

const { tcp, rpc }: Vectors = JSON.parse(
  readFileSync(new URL('../vectors/sockets.json', import.meta.url), 'utf8'),
);
const good = {
  tcp: Buffer.from(tcp.writer.transfer_socket_hex, 'hex'),
  rpc: Buffer.from(rpc.steps.map((step) => step.client_to_server_hex).join(''), 'hex'),
};
const goodAnswers = {
  tcp: Buffer.from(tcp.reader.steps.map((step) => step.answer_hex).join(''), 'hex'),
  rpc: Buffer.from(rpc.steps.map((step) => step.server_to_client_hex).join(''), 'hex'),
};

/** mulberry32: the same numbers in every run. */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

/** Good bytes that were damaged: changed, cut, doubled, or replaced by noise. */
function damage(bytes: Buffer, random: (below: number) => number): Buffer {
  const result = Buffer.from(bytes);
  for (let left = random(4); left > 0; left--) {
    const at = random(result.length);
    const kind = random(4);
    if (kind === 0) result[at] ^= 1 << random(8);
    else if (kind === 1) result[at] = 0xff;
    else if (kind === 2) result.fill(0xff, at, Math.min(at + 4, result.length));
    else result[at] = random(256);
  }
  const shape = random(6);
  if (shape === 0) return result.subarray(0, random(result.length));
  if (shape === 1) return result.subarray(random(result.length));
  if (shape === 2) return Buffer.from(Array.from({ length: random(2000) }, () => random(256)));
  return result;
}

describe.each(['tcp', 'rpc'] as const)('receiver %s under damaged packets', (kind) => {
  it('neither dies nor grows, and serves honest senders all the while', { timeout: 90_000 }, async () => {
    const port = await freePortPair();
    const handler = new RecordingHandler();
    const strange: number[] = [];
    handler.refuse = ({ bytes, from }) => {
      if (bytes.length < 20 || from === '') strange.push(bytes.length);
      return undefined;
    };
    await using receiver = makeReceiver(kind, { port, silenceMs: 500 });
    await receiver.open(handler, never);
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port }],
      lanes: 1,
      budget: new MemoryBudget(64 * MIB),
    });
    await tunnel.open(never);
    const random = randomFrom(SEED);
    const rounds = { bad: 0, honest: 0 };
    const until = performance.now() + FUZZ_MS;
    let peakBytes = 0;
    const startBytes = process.memoryUsage().rss;
    while (performance.now() < until) {
      const target = port + (kind === 'tcp' ? random(2) : 0);
      await Promise.all(
        Array.from({ length: 16 }, () => throwAt(target, damage(good[kind], random), random(3))),
      );
      rounds.bad += 16;
      rounds.honest++;
      await tunnel.lane(0).append(makeHeader({ lane: 77, number: rounds.honest }));
      tunnel.lane(0).flush(() => {});
      peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
    }
    await tunnel.drain(never);
    const honest = handler.logs.filter((log) => log.includes('pad')).map(readEntry);
    expect(honest.map(({ number }) => number)).toEqual(
      Array.from({ length: rounds.honest }, (_, i) => i + 1),
    );
    expect(rounds.bad).toBeGreaterThan(500);
    expect(receiver.traffic.refused).toBeGreaterThan(rounds.bad / 10);
    expect(strange).toEqual([]);
    expect(peakBytes - startBytes).toBeLessThan(256 * MIB);
    await vi.waitFor(() => expect(receiver.traffic.connections).toBeLessThanOrEqual(2), PATIENCE);
  });

  it('reserves nothing for lengths that are only announced', async () => {
    const port = await freePortPair();
    await using receiver = makeReceiver(kind, { port, connectionsMax: 40, silenceMs: 1000 });
    await receiver.open(new RecordingHandler(), never);
    const before = process.memoryUsage().rss;
    // 200 MiB each, of which a few bytes come.
    const head = { tcp: 'cafe0102000000000c800000', rpc: 'fc0c800000' }[kind];
    const sockets = Array.from({ length: 30 }, () => connect(port, '127.0.0.1'));
    for (const socket of sockets) {
      socket.on('error', () => {});
      socket.write(Buffer.concat([Buffer.from(head, 'hex'), Buffer.alloc(100)]));
    }
    await vi.waitFor(() => expect(receiver.traffic.connections).toBeGreaterThanOrEqual(30), PATIENCE);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * MIB);
    // Half a message is not waited for without an end.
    await vi.waitFor(() => expect(receiver.traffic.connections).toBe(0), PATIENCE);
    expect(receiver.traffic.messages).toBe(0);
  });

  it('turns away a message above the limit, and more connections than the limit', async () => {
    const port = await freePortPair();
    const handler = new RecordingHandler();
    await using receiver = makeReceiver(kind, { port, connectionsMax: 3, messageBytesMax: 1000 });
    await receiver.open(handler, never);
    const large = { tcp: 'cafe01020000000000000400', rpc: 'fe0400' }[kind];
    await throwAt(port, Buffer.from(large, 'hex'), 2);
    await vi.waitFor(() => expect(receiver.traffic.refused).toBe(1), PATIENCE);
    const sockets = Array.from({ length: 5 }, () => connect(port, '127.0.0.1').on('error', () => {}));
    onTestFinished(() => sockets.forEach((socket) => socket.destroy()));
    await vi.waitFor(() => expect(receiver.traffic.refused).toBe(3), PATIENCE);
    expect(receiver.traffic.connections).toBe(3);
  });
});

describe.each(['tcp', 'rpc'] as const)('tunnel %s under damaged answers', (kind) => {
  it('neither dies nor grows, gives no receipt, and goes on with an honest receiver', async () => {
    const port = await freePortPair();
    const random = randomFrom(SEED);
    const sockets = new Set<Socket>();
    let answered = 0;
    const servers = [port, port + 1].map((at) => {
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {}).on('close', () => sockets.delete(socket));
        socket.on('data', () => {
          answered++;
          socket.write(damage(goodAnswers[kind], random));
        });
      });
      return server.listen(at, '127.0.0.1');
    });
    const budget = new MemoryBudget(64 * MIB);
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port }],
      lanes: 3,
      budget,
    });
    const opened = tunnel.open(never);
    opened.catch(() => {});
    let receipts = 0;
    for (let number = 1; number <= 300; number++) {
      void tunnel.lane(number % 3).append(makeHeader({ lane: number % 3, number }));
      tunnel.lane(number % 3).flush(() => receipts++);
    }
    await pause(FUZZ_MS / 2);
    expect(answered).toBeGreaterThan(3);
    expect(receipts).toBe(0);
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
    const handler = new RecordingHandler();
    await using receiver = makeReceiver(kind, { port });
    await receiver.open(handler, never);
    await tunnel.drain(never);
    await opened;
    expect(receipts).toBe(300);
    expect(handler.logs).toHaveLength(300);
    expect(budget.usedBytes).toBe(0);
  });
});

/** Sends bytes and ends, resets, or waits for the far side's end, by `ending`. */
function throwAt(port: number, bytes: Buffer, ending: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {}).on('close', () => resolve());
    socket.resume();
    socket.write(bytes, () => {
      if (ending === 0) socket.end();
      else if (ending === 1) socket.resetAndDestroy();
      else socket.setTimeout(50, () => socket.destroy());
    });
  });
}
