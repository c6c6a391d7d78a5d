import { describe, expect, test } from 'vitest';
import { assignRange, decodeAssignment, encodeAssignment, encodeSubscription } from './group-assignment.ts';

const subscription = encodeSubscription('oplog');

function shares(partitions: number, members: readonly string[]): Record<string, number[]> {
  const assigned = assignRange(
    'oplog',
    partitions,
    members.map((memberId) => ({ memberId, metadata: subscription })),
  );
  return Object.fromEntries(
    assigned.map(({ memberId, assignment }) => [memberId, decodeAssignment(assignment, 'oplog')]),
  );
}

test('a subscription and an assignment are as Kafka encodes them', () => {
  expect(subscription.toString('hex')).toBe('0000 00000001 0005 6f706c6f67 ffffffff'.replaceAll(' ', ''));
  expect(encodeAssignment('oplog', [1, 3]).toString('hex')).toBe(
    '0000 00000001 0005 6f706c6f67 00000002 00000001 00000003 ffffffff'.replaceAll(' ', ''),
  );
});

describe('partitions are shared in stretches', () => {
  test('the first members get one more, in the order of their ids', () => {
    expect(shares(7, ['c', 'a', 'b'])).toEqual({ a: [0, 1, 2], b: [3, 4], c: [5, 6] });
  });

  test('more members than partitions: some get none', () => {
    expect(shares(2, ['a', 'b', 'c'])).toEqual({ a: [0], b: [1], c: [] });
  });

  test('a member that wants another topic gets none of this one', () => {
    const members = [
      { memberId: 'a', metadata: subscription },
      { memberId: 'b', metadata: encodeSubscription('other') },
    ];
    expect(assignRange('oplog', 2, members).map(({ memberId }) => memberId)).toEqual(['a']);
  });
});

test('an assignment of other topics, or an empty one, holds no partitions', () => {
  expect(decodeAssignment(encodeAssignment('other', [1]), 'oplog')).toEqual([]);
  expect(decodeAssignment(Buffer.alloc(0), 'oplog')).toEqual([]);
});
