import { describe, expect, test } from 'vitest';
import { positionOf } from '../oplog/position.ts';
import { PositionLostError } from './position-lost-error.ts';
import { decideStart } from './start-position.ts';

const window = { oldest: positionOf(1000, 5), newest: positionOf(2000, 1) };
const since1970 = positionOf(1, 0);

function start(checkpoint: bigint | undefined, startPosition = since1970) {
  return decideStart({ source: 'rs0', checkpoint, startPosition, window });
}

describe('decideStart', () => {
  test('the checkpoint wins over start_position', () => {
    expect(start(positionOf(1500, 7), positionOf(1200, 0))).toMatchObject({
      after: positionOf(1500, 7),
      by: 'checkpoint',
    });
  });

  test('a checkpoint that is the oldest entry itself is good, unlike in MongoShake: nothing after it is missing', () => {
    expect(start(window.oldest)).toMatchObject({ after: window.oldest, by: 'checkpoint' });
  });

  test('I7: a checkpoint one increment before the oldest entry is lost, and the gap is named', () => {
    const act = (): unknown => start(window.oldest - 1n);
    expect(act).toThrow(PositionLostError);
    expect(act).toThrow(
      'after 1000:4 (1970-01-01T00:16:40Z) and before 1000:5 (1970-01-01T00:16:40Z) are gone',
    );
  });

  test('MongoShake counts 0 and 1 as no checkpoint', () => {
    expect(start(0n).by).toBe('oldest');
    expect(start(1n).by).toBe('oldest');
    expect(start(undefined).by).toBe('oldest');
  });

  test('without a checkpoint the default of 1970 starts at the oldest entry', () => {
    expect(start(undefined).after).toBe(since1970);
  });

  test('without a checkpoint a start_position inside the oplog is taken', () => {
    expect(start(undefined, positionOf(1200, 0))).toMatchObject({
      after: positionOf(1200, 0),
      by: 'start_position',
    });
  });

  test('I7: a start_position before the oplog is refused and the way out is told', () => {
    expect(() => start(undefined, positionOf(1000, 0))).toThrow(
      expect.objectContaining({
        code: 'POSITION_LOST',
        hint: expect.stringContaining('1970-01-01T00:00:00Z'),
      }),
    );
  });

  test('a position in the future is taken and said', () => {
    expect(start(undefined, positionOf(3000, 0)).text).toContain('newer than its newest entry');
    expect(start(positionOf(3000, 2)).text).toContain('newer than its newest entry');
  });
});
