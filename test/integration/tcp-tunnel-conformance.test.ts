import { describe } from 'vitest';
import { makeSocketTunnelUnderTest } from '../support/socket-tunnel-under-test.ts';
import { itConforms } from '../support/tunnel-conformance.ts';

describe('tunnel tcp', () => {
  itConforms(makeSocketTunnelUnderTest('tcp'), { received: true, stall: true, breakForGood: false });
});
