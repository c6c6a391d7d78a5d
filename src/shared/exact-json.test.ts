import { expect, test } from 'vitest';
import { parseExactJson, stringifyExactJson } from './exact-json.ts';

test('integers beyond 53 bits keep all their digits, both ways', () => {
  const text = '{"a":7398000000000000001,"b":[-9223372036854775808,1],"c":"7398000000000000001","d":1.5e3}';
  const value = parseExactJson(text);
  expect(value).toEqual({
    a: 7_398_000_000_000_000_001n,
    b: [-9_223_372_036_854_775_808n, 1],
    c: '7398000000000000001',
    d: 1500,
  });
  expect(stringifyExactJson(value)).toBe(text.replace('1.5e3', '1500'));
});

test('strings with escapes and digits stay as they are', () => {
  const text = JSON.stringify({ 'k"1234567890123456789': '\\"99999999999999999999' });
  expect(stringifyExactJson(parseExactJson(text))).toBe(text);
});

test('what is no JSON is a SyntaxError', () => {
  expect(() => parseExactJson('{"a":')).toThrow(SyntaxError);
});
