import { describe } from 'vitest';
import { makeFileTunnel } from '../support/file-tunnel-under-test.ts';
import { makeMockTunnel } from '../support/mock-tunnel-under-test.ts';
import { itConforms, type MakeTunnel, type TunnelAbilities } from '../support/tunnel-conformance.ts';

/** Every tunnel, one line each. */
const tunnels: ReadonlyArray<[name: string, make: MakeTunnel, can: TunnelAbilities]> = [
  ['file raw', makeFileTunnel('raw'), { received: true, stall: true, breakForGood: true }],
  ['file bson', makeFileTunnel('bson'), { received: true, stall: true, breakForGood: true }],
  ['mock', makeMockTunnel, { received: false, stall: false, breakForGood: false }],
];

describe.each(tunnels)('tunnel %s', (_name, make, can) => {
  itConforms(make, can);
});
