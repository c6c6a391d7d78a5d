import { expect, test } from 'vitest';
import { parseExactJson, printExactJson } from './exact-json.ts';

test('a position beyond 2^53 comes back digit for digit', () => {
  const text = '{"name":"rs \\"0\\" 12345678901234567890","ckpt":6795629284178919425,"version":2}';
  const value = parseExactJson(text);
  expect(value).toEqual({
    name: 'rs "0" 12345678901234567890',
    ckpt: 6_795_629_284_178_919_425n,
    version: 2n,
  });
  expect(
    printExactJson({ name: 'rs "0" 12345678901234567890', ckpt: 6_795_629_284_178_919_425n, version: 2 }),
  ).toBe(text);
});

test('fractions and exponents stay what they are', () => {
  expect(parseExactJson('[1.5, -2e3, -7, true, null, ""]')).toEqual([1.5, -2000, -7n, true, null, '']);
});

test('what is no JSON is refused', () => {
  expect(() => parseExactJson('<html>')).toThrow(SyntaxError);
});
