import { silentLogger } from '../../src/shared/logger.ts';
import { MockTunnel } from '../../src/tunnel/mock/mock-tunnel.ts';
import type { MakeTunnel } from './tunnel-conformance.ts';

/** The mock tunnel has no far side to look at. */
export const makeMockTunnel: MakeTunnel = ({ lanes }) => {
  const tunnel = new MockTunnel({ lanes, logger: silentLogger });
  return Promise.resolve({ tunnel, [Symbol.asyncDispose]: () => tunnel[Symbol.asyncDispose]() });
};
