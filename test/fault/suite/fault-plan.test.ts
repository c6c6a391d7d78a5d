import { expect, test } from 'vitest';
import { faultKinds, faultPlan, type PlannedFault } from './fault-plan.ts';

function first(count: number, seed: number): PlannedFault[] {
  const planned: PlannedFault[] = [];
  for (const fault of faultPlan({ seed, members: 3, isLong: false })) {
    planned.push(fault);
    if (planned.length === count) break;
  }
  return planned;
}

test('a seed gives the same plan again, and another seed another', () => {
  expect(first(40, 7)).toEqual(first(40, 7));
  expect(first(40, 7)).not.toEqual(first(40, 8));
});

test('every kind comes once before any comes again', () => {
  const kinds = faultKinds(3);
  const planned = first(kinds.length, 1).map(({ kind }) => kind);
  expect(planned.toSorted()).toEqual([...kinds].toSorted());
});
