import { describe } from 'vitest';
import { makeSocketTunnelUnderTest } from '../support/socket-tunnel-under-test.ts';
import { itConforms } from '../support/tunnel-conformance.ts';

describe('tunnel rpc', () => {
  itConforms(makeSocketTunnelUnderTest('rpc'), { received: true, stall: true, breakForGood: false });
});
