import { expect, it } from 'vitest';
import { makeHeader } from '../../../test/support/oplog-entry.ts';
import { silentLogger } from '../../shared/logger.ts';
import { MockTunnel } from './mock-tunnel.ts';

it('counts entries and bytes of all lanes, logs them at debug level, and holds nothing', async () => {
  const lines: unknown[] = [];
  const logger = { ...silentLogger, debug: (line: object | string) => lines.push(line) };
  const tunnel = new MockTunnel({ lanes: 2, logger });
  await tunnel.open();
  const header = makeHeader({ lane: 0, number: 1 });
  void tunnel.lane(0).append(header);
  void tunnel.lane(1).append(header);
  const receipts: number[] = [];
  tunnel.lane(0).flush(() => receipts.push(0));
  tunnel.lane(1).flush(() => receipts.push(1));
  await tunnel.drain();
  expect(receipts).toEqual([0, 1]);
  expect(tunnel.entries).toBe(2);
  expect(tunnel.bytes).toBe(2 * header.length);
  expect(tunnel.lane(0).pendingBytes).toBe(0);
  expect(lines).toHaveLength(2);
});
