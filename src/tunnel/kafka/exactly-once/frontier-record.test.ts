import { describe, expect, test } from 'vitest';
import { frontierKey, frontierValue, readFrontierValue } from './frontier-record.ts';

const owner = { id: 'shop', source: 'rs0', run: '1f0c' };

describe('the record of a frontier', () => {
  test('is one for each source of each job', () => {
    expect(frontierKey(owner).toString()).toBe('shop/rs0');
  });

  test('says positions as seconds and increment, and gives them back', () => {
    const frontier = {
      resumeAfter: (1_582_277_156n << 32n) | 7n,
      deliveredThrough: (1_582_277_156n << 32n) | 4_294_967_295n,
      partial: { at: 1_582_277_157n << 32n, operations: 1_000_000 },
    };
    const value = frontierValue(owner, frontier);
    expect(JSON.parse(value.toString())).toMatchObject({
      version: 1,
      id: 'shop',
      source: 'rs0',
      owner: '1f0c',
      resumeAfter: '1582277156:7',
      deliveredThrough: '1582277156:4294967295',
      partial: { at: '1582277157:0', operations: 1_000_000 },
    });
    expect(readFrontierValue(value, 'x')).toEqual({ run: '1f0c', frontier });
  });

  test('may name an owner that has carried nothing yet', () => {
    expect(readFrontierValue(frontierValue(owner, undefined), 'x')).toEqual({
      run: '1f0c',
      frontier: undefined,
    });
  });

  test.each([
    ['', 'JSON'],
    ['[]', 'version undefined'],
    ['{"version":2}', 'version 2'],
    ['{"version":1}', 'names no owner'],
    ['{"version":1,"owner":"a","resumeAfter":"1:x"}', 'resumeAfter is no position'],
    [
      '{"version":1,"owner":"a","resumeAfter":"1:1","deliveredThrough":"1:1","partial":{"at":"1:2","operations":1.5}}',
      'operations',
    ],
  ])('that cannot be read stops the collector: %s', (text, reason) => {
    expect(() => readFrontierValue(Buffer.from(text), 'shop/rs0 in topic t')).toThrow(
      expect.objectContaining({
        code: 'KAFKA_CHECKPOINT_UNREADABLE',
        message: expect.stringContaining(reason),
      }),
    );
  });
});
