import { describe, expect, test } from 'vitest';
import { isIncompleteRawMessage } from './is-incomplete-raw-message.ts';

/** A message that claims `declared` logs and holds these. */
function message(declared: number, logs: readonly string[]): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32BE(declared, 16);
  const parts = logs.flatMap((log) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(log.length);
    return [length, Buffer.from(log)];
  });
  return Buffer.concat([header, ...parts]);
}

describe('a raw message is incomplete', () => {
  test('when it ends anywhere before its last log does', () => {
    const whole = message(3, ['one', '', 'three']);
    expect(isIncompleteRawMessage(whole)).toBe(false);
    for (let length = 20; length < whole.length; length++) {
      expect(isIncompleteRawMessage(whole.subarray(0, length)), `${length} bytes`).toBe(true);
    }
  });

  test('when it claims the most logs or the longest log that can be claimed', () => {
    expect(isIncompleteRawMessage(message(0xffffffff, ['one']))).toBe(true);
    const long = message(1, ['one']);
    long.writeUInt32BE(0xffffffff, 20);
    expect(isIncompleteRawMessage(long)).toBe(true);
  });
});

describe('a raw message is not incomplete', () => {
  test('when it claims no logs', () => {
    expect(isIncompleteRawMessage(message(0, []))).toBe(false);
  });

  test('when bytes follow its last log', () => {
    expect(isIncompleteRawMessage(message(1, ['one', 'two']))).toBe(false);
  });

  test('when it is shorter than a header: then it is no message at all', () => {
    expect(isIncompleteRawMessage(message(2, []).subarray(0, 19))).toBe(false);
  });
});
