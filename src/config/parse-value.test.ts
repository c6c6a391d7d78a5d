import { describe, expect, test } from 'vitest';
import type { NumberOption, Option } from './option.ts';
import { describeNumber, parseValue } from './parse-value.ts';

const base = { section: 'debug', text: '', since: 'oplogue' } as const;
const bool: Option = { ...base, type: 'bool', default: false };
const date: Option = { ...base, type: 'date', default: 1 };
const int: NumberOption = { ...base, type: 'int', default: 5, min: 1, max: 9 };
const bytes: NumberOption = { ...base, type: 'bytes', default: 0 };
const duration: NumberOption = { ...base, type: 'duration', default: 0 };

describe('parseValue', () => {
  test.each(['1', 't', 'T', 'true', 'TRUE', 'True'])('%s is true, as in Go', (text) => {
    expect(parseValue(bool, text)).toEqual({ value: true });
  });

  test.each(['0', 'f', 'F', 'false', 'FALSE', 'False'])('%s is false, as in Go', (text) => {
    expect(parseValue(bool, text)).toEqual({ value: false });
  });

  test.each(['', 'yes', 'tRUE', '2'])('"%s" is no boolean', (text) => {
    expect(parseValue(bool, text)).toEqual({ allowed: 'true or false' });
  });

  test.each([
    ['1970-01-01T00:00:00Z', 1],
    ['1960-01-01T00:00:00Z', 1],
    ['2026-11-23T18:30:01Z', 1_795_458_601],
  ])('the date %s is %i seconds', (text, seconds) => {
    expect(parseValue(date, text)).toEqual({ value: seconds });
  });

  test.each(['', '2026-11-23', '2026-11-23T18:30:01', '2026-02-30T00:00:00Z', '2026-11-23T18:30:01+08:00'])(
    '"%s" is no date',
    (text) => {
      expect(parseValue(date, text)).toHaveProperty('allowed');
    },
  );

  test.each([
    ['1', 1],
    ['+9', 9],
    ['007', 7],
  ])('%s is the number %i', (text, value) => {
    expect(parseValue(int, text)).toEqual({ value });
  });

  test.each(['', ' ', '0', '10', '1.5', '1e2', '0x1', '1_0', '5s', '99999999999999999999'])(
    '"%s" is not a number from 1 to 9',
    (text) => {
      expect(parseValue(int, text)).toHaveProperty('allowed');
    },
  );

  test.each([
    ['1000', 1000],
    ['64MiB', 67_108_864],
    ['64 mb', 64_000_000],
    ['1G', 1_073_741_824],
    ['3KiB', 3072],
  ])('%s is %i bytes', (text, value) => {
    expect(parseValue(bytes, text)).toEqual({ value });
  });

  test.each([
    ['0', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['10m', 600_000],
    ['2h', 7_200_000],
  ])('%s is %i milliseconds', (text, value) => {
    expect(parseValue(duration, text)).toEqual({ value });
  });
});

test('a number says what it takes', () => {
  expect(describeNumber(int)).toBe('a whole number in the range [1, 9]');
  expect(describeNumber({ ...base, type: 'int', default: 0, unit: 'seconds' })).toBe(
    'a whole number of seconds',
  );
  expect(describeNumber({ ...bytes, min: 1024 })).toBe('a number of bytes such as 64MiB, 1024 or more');
});
