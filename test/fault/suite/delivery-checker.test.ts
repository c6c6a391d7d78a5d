import { expect, test } from 'vitest';
import { DeliveryChecker } from './delivery-checker.ts';

/** Two documents with three acknowledged writes each, one aborted write, and one of which nobody knows. */
function ledger(): DeliveryChecker {
  const checker = new DeliveryChecker();
  for (const id of ['a', 'b']) for (const n of [0, 1, 2]) checker.acknowledged(id, n);
  checker.refused('undone', 0);
  return checker;
}

function deliver(checker: DeliveryChecker, writes: readonly string[]): DeliveryChecker {
  for (const write of writes) {
    const [id = '', n = ''] = write.split(':');
    checker.delivered(id, Number(n));
  }
  return checker;
}

const whole = ['a:0', 'b:0', 'b:1', 'a:1', 'a:2', 'b:2'];
const good = {
  acknowledged: 6,
  delivered: 6,
  lost: 0,
  duplicated: 0,
  outOfOrder: 0,
  unwanted: 0,
  examples: [],
};

test('everything once and in order of each document is no fault, in whatever order documents mix', () => {
  const checker = deliver(ledger(), whole);
  expect(checker.isComplete).toBe(true);
  expect(checker.report()).toEqual(good);
});

test('a write of which nobody knows may come or not', () => {
  expect(deliver(ledger(), [...whole, 'unknown:0']).report()).toEqual({ ...good, delivered: 7 });
});

test('an acknowledged write that never comes is lost', () => {
  const checker = deliver(
    ledger(),
    whole.filter((write) => write !== 'b:1'),
  );
  expect(checker.isComplete).toBe(false);
  expect(checker.report()).toMatchObject({ lost: 1, duplicated: 0, outOfOrder: 0, examples: ['lost b:1'] });
});

test('the last write of a document can be lost too', () => {
  expect(deliver(ledger(), whole.slice(0, -1)).report()).toMatchObject({ lost: 1, outOfOrder: 0 });
});

test('a message that comes again is a duplicate', () => {
  expect(deliver(ledger(), [...whole, 'a:2']).report()).toMatchObject({
    ...good,
    delivered: 7,
    duplicated: 1,
    examples: ['duplicated a:2'],
  });
});

test('everything again from an earlier place on is duplicates, and no disorder', () => {
  expect(deliver(ledger(), [...whole, ...whole.slice(2)]).report()).toMatchObject({
    lost: 0,
    duplicated: 4,
    outOfOrder: 0,
  });
});

test('a write that first comes after a later one of its document is out of order', () => {
  expect(deliver(ledger(), ['a:0', 'a:2', 'b:0', 'b:1', 'b:2', 'a:1']).report()).toMatchObject({
    lost: 0,
    duplicated: 0,
    // Once for the write, once for the document, which a consumer is left with in an old state.
    outOfOrder: 2,
  });
});

test('repeats that leave a document in an old state are out of order', () => {
  expect(deliver(ledger(), [...whole, 'a:1']).report()).toMatchObject({
    duplicated: 1,
    outOfOrder: 1,
    examples: ['duplicated a:1', 'ends before a:2'],
  });
});

test('what was aborted or rolled back must not come', () => {
  expect(deliver(ledger(), [...whole, 'undone:0']).report()).toMatchObject({
    unwanted: 1,
    examples: ['unwanted undone:0'],
  });
});
