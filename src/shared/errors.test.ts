import { expect, test } from 'vitest';
import { describeError, OplogueError } from './errors.ts';

test('a described error tells the message, its causes once each, and the next step', () => {
  const cause = new Error('connect ECONNREFUSED');
  const error = new OplogueError({
    code: 'X',
    message: 'Cannot reach the broker',
    hint: 'check tunnel.address',
    cause,
  });
  expect(describeError(error)).toBe('Cannot reach the broker: connect ECONNREFUSED; check tunnel.address');
});

test('a cycle of causes ends', () => {
  const a = new Error('a');
  const b = new Error('b', { cause: a });
  a.cause = b;
  expect(describeError(a)).toBe('a: b');
});

test('a cause that its error quotes already is not said twice', () => {
  const cause = new Error('connect ECONNREFUSED');
  expect(describeError(new Error('no server: connect ECONNREFUSED', { cause }))).toBe(
    'no server: connect ECONNREFUSED',
  );
});
