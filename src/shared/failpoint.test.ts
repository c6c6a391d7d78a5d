import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FAILPOINTS, checkFailpoint, failpoint, parseFailpoint } from './failpoint.ts';

describe('OPLOGUE_FAILPOINT', () => {
  test.each([
    ['before-commit:kill', { name: 'before-commit', action: 'kill', passing: 1 }],
    ['after-checkpoint:stop@3', { name: 'after-checkpoint', action: 'stop', passing: 3 }],
    ['inside-transaction:error', { name: 'inside-transaction', action: 'error', passing: 1 }],
    ['before-checkpoint:delay=250@2', { name: 'before-checkpoint', action: { delayMs: 250 }, passing: 2 }],
  ])('%s is understood', (text, expected) => {
    expect(parseFailpoint(text)).toEqual(expected);
  });

  test.each(['before-comit:kill', 'before-commit', 'before-commit:explode', 'before-commit:kill@0', ':kill'])(
    '%s is refused with the names that there are',
    (text) => {
      expect(() => parseFailpoint(text)).toThrow(
        expect.objectContaining({ code: 'FAILPOINT_INVALID', hint: expect.stringContaining(FAILPOINTS[0]) }),
      );
    },
  );

  test('unset: a failpoint does nothing', () => {
    expect(checkFailpoint()).toBeUndefined();
    for (const name of FAILPOINTS) failpoint(name);
  });

  test('that makes no sense keeps the collector from starting', () => {
    const { status, stderr } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../../bin/collector.js'), '-conf=none.conf'],
      { env: { ...process.env, OPLOGUE_FAILPOINT: 'nowhere:kill' }, encoding: 'utf8' },
    );
    expect(stderr).toContain('OPLOGUE_FAILPOINT is "nowhere:kill"');
    expect(status).toBe(2);
  });
});
