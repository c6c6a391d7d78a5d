import { deserialize, Double, Int32, Long, serialize, type Document } from 'bson';
import { describe, expect, test } from 'vitest';
import { makeDocument, documentField } from '../bson/make-document.ts';
import { applyDiff } from './apply-diff.ts';

function apply(before: Document, diff: Document): Document {
  return deserialize(applyDiff(Buffer.from(serialize(before)), Buffer.from(serialize(diff))), {
    promoteValues: false,
  });
}

/** The same as plain JSON, with the order of the fields. */
function text(before: Document, diff: Document): string {
  return JSON.stringify(deserialize(serialize(apply(before, diff))));
}

describe('fields of an object', () => {
  test.each<[string, Document, Document, string]>([
    ['go', { a: 1, b: 2, c: 3 }, { d: { b: false } }, '{"a":1,"c":3}'],
    ['change in their place', { a: 1, b: 2, c: 3 }, { u: { b: { x: 1 } } }, '{"a":1,"b":{"x":1},"c":3}'],
    ['come at the end, in the order of the diff', { a: 1 }, { i: { z: 1, b: 2 } }, '{"a":1,"z":1,"b":2}'],
    [
      'that are to come and are there already move to the end',
      { a: 1, b: 2 },
      { i: { a: 3 } },
      '{"b":2,"a":3}',
    ],
    [
      'that are to change and are not there come before new ones',
      {},
      { u: { b: 1 }, i: { a: 2 } },
      '{"b":1,"a":2}',
    ],
    ['that are to go and are not there do not matter', { a: 1 }, { d: { x: false } }, '{"a":1}'],
    [
      'all at once',
      { a: 1, b: 2, c: { d: 1 } },
      { d: { a: false }, u: { b: 3 }, i: { e: 4 }, sc: { i: { f: 5 } } },
      '{"b":3,"c":{"d":1,"f":5},"e":4}',
    ],
    [
      'with dots and dollars in their names',
      { 'a.b': 1, $x: 1 },
      { u: { 'a.b': 2 }, d: { $x: false }, i: { '$y.z': 1 } },
      '{"a.b":2,"$y.z":1}',
    ],
    [
      'with names that begin like parts',
      { s: { u: 1 }, i: 1, d: 1 },
      { u: { d: 2 }, ss: { u: { u: 2 } } },
      '{"s":{"u":2},"i":1,"d":2}',
    ],
    ['with an empty name', { '': { a: 1 } }, { s: { u: { a: 2 } } }, '{"":{"a":2}}'],
    ['deep inside', { a: { b: { c: 1 } } }, { sa: { sb: { u: { c: 2 } } } }, '{"a":{"b":{"c":2}}}'],
    [
      'that are of another kind by now stay',
      { a: 5, b: [1], c: { x: 1 } },
      { sa: { u: { x: 1 } }, sb: { u: { x: 1 } }, sc: { a: true, u0: 1 } },
      '{"a":5,"b":[1],"c":{"x":1}}',
    ],
  ])('%s', (_, before, diff, after) => {
    expect(text(before, diff)).toBe(after);
  });
});

describe('elements of an array', () => {
  test.each<[string, unknown[], Document, unknown[]]>([
    ['change', [1, 2, 3], { a: true, u1: 9 }, [1, 9, 3]],
    ['come', [1], { a: true, u1: 2, u2: 3 }, [1, 2, 3]],
    ['are cut off', [1, 2, 3], { a: true, l: 1 }, [1]],
    ['are cut off and changed', [1, 2, 3], { a: true, l: 2, u0: 7 }, [7, 2]],
    ['are all cut off', [1, 2, 3], { a: true, l: 0 }, []],
    ['that were missing before are null', [1], { a: true, u3: 4 }, [1, null, null, 4]],
    ['are null where the array is to be longer', [1], { a: true, l: 3 }, [1, null, null]],
    ['are objects', [{ x: 1 }, { x: 2 }], { a: true, s1: { u: { x: 3 } } }, [{ x: 1 }, { x: 3 }]],
    ['are arrays', [[1, 2], [3]], { a: true, s0: { a: true, l: 1 }, s1: { a: true, u1: 4 } }, [[1], [3, 4]]],
    [
      'that are of another kind by now stay',
      [1, [2]],
      { a: true, s0: { u: { x: 1 } }, s1: { u: { x: 1 } } },
      [1, [2]],
    ],
    ['that are missing for a part are null', [], { a: true, s1: { u: { x: 1 } } }, [null, null]],
    [
      'above nine',
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
      { a: true, u10: 'x' },
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 'x', 11],
    ],
    ['after a field called a', [1], { a: true, u0: { a: true } }, [{ a: true }]],
  ])('%s', (_, before, diff, after) => {
    expect(text({ list: before }, { slist: diff })).toBe(JSON.stringify({ list: after }));
  });
});

test('numbers keep their types, and names like numbers their order', () => {
  const before = makeDocument([
    documentField('9', Buffer.from(serialize({}))),
    documentField('1', Buffer.from(serialize({ x: new Long(1) }))),
  ]);
  const diff = Buffer.from(serialize({ i: { '0': new Double(1) }, s1: { i: { y: new Int32(2) } } }));
  const after = applyDiff(before, diff);
  expect(after.toString('latin1').indexOf('9')).toBeLessThan(after.toString('latin1').indexOf('1\0'));
  expect(deserialize(after, { promoteValues: false })).toEqual({
    '9': {},
    '1': { x: new Long(1), y: new Int32(2) },
    '0': new Double(1),
  });
});

test('applying a diff twice is the same as once', () => {
  const diff = { d: { a: false }, u: { b: 2 }, i: { c: 3 }, slist: { a: true, l: 2, u1: { x: 1 } } };
  const once = apply({ a: 1, b: 1, list: [1, 2, 3] }, diff);
  expect(apply(once, diff)).toEqual(once);
});

test.each<[string, Document]>([
  ['an unknown part', { x: { a: 1 } }],
  ['a part that is no document', { u: 1 }],
  ['an unknown part of an array', { sa: { a: true, x0: 1 } }],
  ['a part of an array that is no document', { sa: { a: true, s0: 1 } }],
  ['a length that is no number', { sa: { a: true, l: 'x' } }],
  ['an array of absurd length', { sa: { a: true, u9999999: 1 } }],
])('%s is refused', (_, diff) => {
  expect(() => apply({ a: [1] }, diff)).toThrow(expect.objectContaining({ code: 'DIFF_UNSUPPORTED' }));
});
