import { expect, test } from 'vitest';
import { AssertionError } from './errors.ts';
import { MemoryBudget } from './memory-budget.ts';

const never = new AbortController().signal;

test('I4: who asks for more than the limit waits until enough was given back', async () => {
  const budget = new MemoryBudget(100);
  budget.take(80);
  let through = false;
  const waiting = budget.room(30, never).then(() => (through = true));
  await Promise.resolve();
  expect(through).toBe(false);
  budget.give(5);
  await Promise.resolve();
  expect(through).toBe(false);
  budget.give(10);
  await waiting;
  expect(budget.usedBytes).toBe(65);
  expect(budget.peakBytes).toBe(80);
});

test('a single demand above the limit passes when nothing else is held, so that a 16 MB document never blocks', async () => {
  const budget = new MemoryBudget(10);
  await budget.room(1000, never);
  budget.take(1000);
  expect(budget.hasRoom(1)).toBe(false);
});

test('what is held ahead is counted, holds back who takes more of it, and never those who are to empty it', async () => {
  const budget = new MemoryBudget(10);
  await budget.roomAhead(100, never);
  budget.takeAhead(100);
  expect(budget.usedBytes).toBe(100);
  expect(budget.hasRoom(5)).toBe(true);
  budget.take(5);
  expect(budget.hasRoom(5)).toBe(false);
  let isLetIn = false;
  const waiting = budget.roomAhead(5, never).then(() => {
    isLetIn = true;
    return isLetIn;
  });
  budget.give(5);
  await Promise.resolve();
  expect(isLetIn).toBe(false);
  budget.giveAhead(100);
  await waiting;
  expect(budget.usedBytes).toBe(0);
});

test('an abort ends the wait', async () => {
  const budget = new MemoryBudget(10);
  budget.take(10);
  const abort = new AbortController();
  const waiting = budget.room(5, abort.signal);
  abort.abort();
  await waiting;
  expect(budget.usedBytes).toBe(10);
});

test('giving back more than was taken is a bug that is not passed over', () => {
  const budget = new MemoryBudget(10);
  expect(() => budget.give(1)).toThrow(AssertionError);
});
