import { describe, expect, test } from 'vitest';
import { Sentinel } from './sentinel.ts';

describe('Sentinel', () => {
  test('begins with the defaults of MongoShake', () => {
    expect(JSON.stringify(new Sentinel().values())).toBe(
      '{"OplogDump":0,"DuplicatedDump":false,"Pause":false,"TPS":0,"TargetDelay":-1,"ExitPoint":-1,"Shutdown":false}',
    );
  });

  test('sets options, and tells those who listen, once for each request', () => {
    const sentinel = new Sentinel();
    const seen: boolean[] = [];
    sentinel.onChange(() => seen.push(sentinel.pause));
    expect(sentinel.apply({ Pause: true, TPS: 500, TargetDelay: 60 })).toBe('success');
    expect(sentinel).toMatchObject({ pause: true, tps: 500, targetDelay: 60 });
    expect(seen).toEqual([true]);
  });

  test.each([
    [{ Pause: true, Nope: 1 }, 'Nope is not exist'],
    [{ Pause: true, TPS: '5' }, "TPS option isn't corret"],
    [{ Pause: true, TPS: 1.5 }, "TPS option isn't corret"],
    [{ Pause: 1 }, "Pause option isn't corret"],
    [{ OplogDump: 3 }, "OplogDump option isn't corret"],
    [{ Pause: true, ExitPoint: 2 ** 62 }, "ExitPoint option isn't corret"],
    [{ ExitPoint: '9223372036854775808' }, "ExitPoint option isn't corret"],
    [{ Pause: true, OplogDump: 1 }, 'OplogDump is not built yet'],
    [{ DuplicatedDump: true }, 'DuplicatedDump is not built yet'],
    [{ constructor: 1 }, 'constructor is not exist'],
    [[], 'request json options wrong format'],
    [null, 'request json options wrong format'],
  ])('answers %j with what is wrong, and changes nothing', (options, answer) => {
    const sentinel = new Sentinel();
    const before = sentinel.values();
    expect(sentinel.apply(options)).toBe(answer);
    expect(sentinel.values()).toEqual(before);
  });

  test('takes the options that are not built while they are off', () => {
    expect(new Sentinel().apply({ OplogDump: 0, DuplicatedDump: false, TPS: 5 })).toBe('success');
  });

  test('keeps all 64 bits of ExitPoint', () => {
    const sentinel = new Sentinel();
    expect(sentinel.apply({ ExitPoint: '7398000000000000001' })).toBe('success');
    expect(sentinel.exitPoint).toBe(7_398_000_000_000_000_001n);
    expect(sentinel.values().ExitPoint).toBe(7_398_000_000_000_000_001n);
    sentinel.apply({ ExitPoint: 9_223_372_036_854_775_807n });
    expect(sentinel.exitPoint).toBe(9_223_372_036_854_775_807n);
    sentinel.apply({ ExitPoint: -5 });
    expect(sentinel.values().ExitPoint).toBe(-1);
  });

  test('a negative delay means none', () => {
    const sentinel = new Sentinel();
    sentinel.apply({ TargetDelay: -7 });
    expect(sentinel.targetDelay).toBe(0);
  });

  test('Shutdown asks for the end of the process', () => {
    const sentinel = new Sentinel();
    sentinel.apply({ Shutdown: false });
    expect(sentinel.shutdown.aborted).toBe(false);
    sentinel.apply({ Shutdown: true });
    expect(sentinel.shutdown.aborted).toBe(true);
  });
});
