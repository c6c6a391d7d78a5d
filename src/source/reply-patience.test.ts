import { MongoNetworkError, MongoNetworkTimeoutError } from 'mongodb';
import { expect, test } from 'vitest';
import { ReplyPatience } from './reply-patience.ts';

test('the patience doubles with each silence in a row, has an end, and begins anew with an answer', () => {
  const patience = new ReplyPatience(5000);
  const seen = Array.from({ length: 5 }, () => {
    const { ms } = patience;
    patience.failed(new MongoNetworkTimeoutError('silent', {}));
    return ms;
  });
  expect(seen).toEqual([5000, 10_000, 20_000, 30_000, 30_000]);
  patience.answered();
  expect(patience.ms).toBe(5000);
});

test('a connection that was refused or cut says nothing about how slow the member is', () => {
  const patience = new ReplyPatience(5000);
  patience.failed(new MongoNetworkError('refused', {}));
  expect(patience.ms).toBe(5000);
});
