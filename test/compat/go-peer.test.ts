import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { COMPRESSORS } from '../../src/message/compressor.ts';
import { positionOf } from '../../src/oplog/position.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { runReceiver } from '../../testbed/run-receiver.ts';
import { makeEntry, makeHeader, readEntry } from '../support/oplog-entry.ts';
import {
  freePortPair,
  makeReceiver,
  makeSocketTunnel,
  RecordingHandler,
} from '../support/socket-tunnel-under-test.ts';

const LANES = 4;
const ENTRIES = 2000;
const never = new AbortController().signal;
const minuteMs = 60_000;
const PATIENCE = { timeout: 20_000 };
let folder = '';
let program = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oplogue-go-'));
  program = join(folder, 'go-peer');
  const cwd = fileURLToPath(new URL('./go-peer', import.meta.url));
  const env = { ...process.env, GOFLAGS: '-mod=mod', GOPROXY: 'off', GOTOOLCHAIN: 'local' };
  await promisify(execFile)('go', ['build', '-o', program, '.'], { cwd, env });
}, 3 * minuteMs);

afterAll(() => rm(folder, { recursive: true, force: true }));

interface Peer {
  readonly lines: string[];
  readonly child: ChildProcess;
}

/** Starts the Go program; gathers the lines that it prints. */
function startPeer(mode: string, port: number): Peer {
  const child = spawn(program, [mode, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  let rest = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { lines, child };
}

describe.each(['rpc', 'tcp'] as const)('tunnel %s to a receiver in Go', (kind) => {
  it.each(COMPRESSORS)(
    'brings every entry in order and gets its acks, compressor %s (I2, I3)',
    async (compressor) => {
      const port = await freePortPair();
      const peer = startPeer(`${kind}-server`, port);
      const budget = new MemoryBudget(64 * 1024 * 1024);
      await using tunnel = makeSocketTunnel(kind, {
        addresses: [{ host: '127.0.0.1', port }],
        lanes: LANES,
        budget,
        compressor,
      });
      await tunnel.open(never);
      let receipts = 0;
      for (let number = 1; number <= ENTRIES; number++) {
        const lane = tunnel.lane(number % LANES);
        await lane.append(makeHeader({ lane: number % LANES, number, padBytes: (number * 7) % 3000 }));
        if (number % 100 < LANES) lane.flush(() => receipts++);
      }
      for (let lane = 0; lane < LANES; lane++) tunnel.lane(lane).flush(() => receipts++);
      await tunnel.drain(never);
      expect(receipts).toBe((ENTRIES / 100) * LANES + LANES);
      await vi.waitFor(() => expect(peer.lines).toHaveLength(ENTRIES), PATIENCE);
      const entries = peer.lines.map((line) => readEntry(Buffer.from(line.split(' ')[2] ?? '', 'hex')));
      for (let lane = 0; lane < LANES; lane++) {
        const numbers = entries.filter((entry) => entry.lane === lane).map((entry) => entry.number);
        expect(numbers).toEqual(
          Array.from({ length: ENTRIES / LANES }, (_, i) => (i + (lane === 0 ? 1 : 0)) * LANES + lane),
        );
      }
      expect(budget.usedBytes).toBe(0);
    },
  );

  it('sends again after the receiver was killed and started anew', async () => {
    const port = await freePortPair();
    const first = startPeer(`${kind}-server`, port);
    await using tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: '127.0.0.1', port }],
      lanes: LANES,
      budget: new MemoryBudget(64 * 1024 * 1024),
    });
    await tunnel.open(never);
    let second: Peer | undefined;
    for (let number = 1; number <= ENTRIES; number++) {
      const lane = tunnel.lane(number % LANES);
      await lane.append(makeHeader({ lane: number % LANES, number }));
      if (number % 20 < LANES) lane.flush(() => {});
      if (number !== ENTRIES / 2) continue;
      first.child.kill('SIGKILL');
      await vi.waitFor(() => expect(first.child.signalCode).toBe('SIGKILL'), PATIENCE);
      second = startPeer(`${kind}-server`, port);
    }
    for (let lane = 0; lane < LANES; lane++) tunnel.lane(lane).flush(() => {});
    await tunnel.drain(never);
    const seen = new Set<number>();
    for (const line of [...first.lines, ...(second?.lines ?? [])]) {
      seen.add(readEntry(Buffer.from(line.split(' ')[2] ?? '', 'hex')).number);
    }
    expect(seen.size).toBe(ENTRIES);
    expect(tunnel.trouble).toBeUndefined();
  });
});

describe.each(['rpc', 'tcp'] as const)('receiver %s with a collector in Go', (kind) => {
  it('takes its messages whole and answers as a receiver in Go', async () => {
    const port = await freePortPair();
    const handler = new RecordingHandler();
    await using receiver = makeReceiver(kind, { port });
    await receiver.open(handler, never);
    const logs = [1, 2, 3].map((number) => makeEntry({ lane: 0, number, padBytes: number * 1000 }));
    const { lines, child } = startPeer(`${kind}-client`, port);
    const [one = '', two = '', three = ''] = logs.map((log) => log.toString('hex'));
    child.stdin?.end(`0 256 0 ${one},${two}\n0 272 0 \n0 256 12345 ${three}\n0 256 0 ${three}\n0 272 0 \n`);
    await vi.waitFor(() => expect(child.exitCode).toBe(0), PATIENCE);
    const at = (increment: number): string => String(positionOf(1_582_277_156, increment));
    // An answer of rpc is the ack from before its message; the ack port of tcp is asked a moment after it.
    const ofRpc = [
      ...['0', at(2), '-6', at(2), at(3)],
      "unknown method: rpc: can't find method TunnelRPC.Nothing",
      `and after it: ${at(3)}`,
    ];
    expect(lines).toEqual(kind === 'rpc' ? ofRpc : [at(2), at(2), '-6', at(3), at(3)]);
    expect(handler.logs).toEqual(logs);
    expect(receiver.traffic).toMatchObject({ messages: kind === 'rpc' ? 6 : 5, refused: 0 });
  });

  it('loses nothing when a receiver is killed with entries in its memory: it asks for them (I3)', async () => {
    const port = await freePortPair();
    const receiver = await runReceiver({
      conf: { tunnel: kind, 'tunnel.address': `127.0.0.1:${port}`, 'replayer.module': './slow.mjs' },
      files: {
        'slow.mjs': `
          import { appendFileSync } from 'node:fs';
          export async function apply(entries) {
            await new Promise((resolve) => setTimeout(resolve, 100));
            for (const { position } of entries) appendFileSync('taken.txt', (position & 0xffffffffn) + '\\n');
          }`,
      },
    });
    onTestFinished(() => receiver[Symbol.asyncDispose]());
    const { lines, child } = startPeer(`${kind}-worker`, port);
    const taken = (): number[] => {
      const path = join(receiver.folder, 'taken.txt');
      return existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').map(Number) : [];
    };
    let sent = 0;
    const sendTo = async (end: number): Promise<void> => {
      while (sent < end) {
        child.stdin?.write(`${makeEntry({ lane: 0, number: ++sent, padBytes: 100_000 }).toString('hex')}\n`);
        await sleep(10);
      }
    };
    await sendTo(60);
    await vi.waitFor(() => expect(taken().length).toBeGreaterThan(5), PATIENCE);
    await receiver.kill();
    expect(taken().length).toBeLessThan(lines.length);
    await sendTo(120);
    await receiver.start();
    await sendTo(200);
    // A worker learns over tcp that it is to send everything again when it has something to send.
    const isMissing = (): boolean => new Set(taken().filter((number) => number <= 200)).size < 200;
    for (let end = 201; end < 400 && isMissing(); end++) {
      await sendTo(end);
      await sleep(200);
    }
    child.stdin?.end();
    await vi.waitFor(() => expect(lines).toContain('all acknowledged'), { timeout: 45_000 });
    const last = new Map(taken().map((number, at) => [number, at]));
    const places = Array.from({ length: sent }, (_, i) => last.get(i + 1) ?? -1);
    expect(places.indexOf(-1)).toBe(-1);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });
});
