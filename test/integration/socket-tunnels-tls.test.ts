import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import type { SocketTlsConfig } from '../../src/config/config.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import type { Tunnel } from '../../src/tunnel/tunnel.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { makeHeader, readEntry } from '../support/oplog-entry.ts';
import {
  freePortPair,
  makeReceiver,
  makeSocketTunnel,
  RecordingHandler,
} from '../support/socket-tunnel-under-test.ts';

const never = new AbortController().signal;
const PATIENCE = { timeout: 20_000 };

function file(name: string): string {
  return fileURLToPath(new URL(`../vectors/tls/${name}`, import.meta.url));
}

/** Certificate and key of localhost, from the authority in ca.pem; good for either end. */
const trusted: SocketTlsConfig = {
  caFile: file('ca.pem'),
  certFile: file('server.pem'),
  keyFile: file('server.pem'),
  keyPassword: undefined,
  allowInvalidCertificates: false,
};
const suspicious = { ...trusted, caFile: file('other-ca.pem') };
const nameless = { ...trusted, certFile: undefined, keyFile: undefined };

describe.each(['tcp', 'rpc'] as const)('tunnel %s with TLS', (kind) => {
  async function between(
    ours: SocketTlsConfig | undefined,
    theirs: SocketTlsConfig | undefined,
  ): Promise<{ tunnel: Tunnel; handler: RecordingHandler; log: MemoryLogger } & AsyncDisposable> {
    const port = await freePortPair();
    const handler = new RecordingHandler();
    const log = new MemoryLogger();
    const receiver = makeReceiver(kind, { port, tls: theirs, logger: log });
    await receiver.open(handler, never);
    const tunnel = makeSocketTunnel(kind, {
      addresses: [{ host: 'localhost', port }],
      lanes: 2,
      tls: ours,
      budget: new MemoryBudget(64 * 1024 * 1024),
    });
    return {
      tunnel,
      handler,
      log,
      [Symbol.asyncDispose]: async () => {
        await tunnel[Symbol.asyncDispose]();
        await receiver[Symbol.asyncDispose]();
      },
    };
  }

  it('carries entries when both ends trust each other', async () => {
    await using both = await between(trusted, trusted);
    await both.tunnel.open(never);
    for (let number = 1; number <= 500; number++) {
      await both.tunnel.lane(0).append(makeHeader({ lane: 0, number, padBytes: 2000 }));
    }
    both.tunnel.lane(0).flush(() => {});
    await both.tunnel.drain(never);
    expect(both.handler.logs.map((log) => readEntry(log).number)).toEqual(
      Array.from({ length: 500 }, (_, i) => i + 1),
    );
  });

  it('ends with an error at a receiver whose certificate it does not trust', async () => {
    await using both = await between(suspicious, trusted);
    await expect(both.tunnel.open(never)).rejects.toMatchObject({
      code: 'SOCKET_TLS',
      hint: expect.stringContaining('tunnel.tls.ca_file'),
    });
    expect(both.handler.messages).toEqual([]);
  });

  it.each([
    ['a receiver that does not trust its certificate', trusted, suspicious],
    ['a receiver that demands a certificate', nameless, trusted],
  ])('says at %s what may be wrong, as the receiver does', async (_, ours, theirs) => {
    await using both = await between(ours, theirs);
    both.tunnel.open(never).catch(() => {});
    await vi.waitFor(() => expect(both.tunnel.trouble).toContain('trust the certificate'), PATIENCE);
    await vi.waitFor(() => expect(both.log.text).toContain('TLS failed'), PATIENCE);
    expect(both.handler.messages).toEqual([]);
  });

  it('says that a plain receiver may lack TLS', async () => {
    await using both = await between(trusted, undefined);
    both.tunnel.open(never).catch(() => {});
    await vi.waitFor(() => expect(both.tunnel.trouble).toContain('tunnel.tls.enable'), PATIENCE);
  });

  it('says at a receiver with TLS that a plain collector has called', async () => {
    await using both = await between(undefined, trusted);
    both.tunnel.open(never).catch(() => {});
    await vi.waitFor(() => expect(both.log.text).toContain('tunnel.tls.enable'), PATIENCE);
    await vi.waitFor(() => expect(both.tunnel.trouble).toBeDefined(), PATIENCE);
  });

  it('names a file that cannot be read', async () => {
    await using both = await between({ ...trusted, caFile: file('none.pem') }, trusted);
    await expect(both.tunnel.open(never)).rejects.toMatchObject({
      code: 'SOCKET_TLS_FILE',
      message: expect.stringContaining('none.pem'),
    });
  });
});
