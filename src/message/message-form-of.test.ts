import { serialize } from 'bson';
import { expect, test } from 'vitest';
import { messageFormOf } from './message-form-of.ts';

const rawHeader = '00000000000010000000000200000000';

test.each([
  ['a BSON document', Buffer.from(serialize({ a: 1 })), 'bson'],
  ['the empty BSON document', Buffer.from(serialize({})), 'bson'],
  ['a JSON text', Buffer.from('{"a":{}}'), 'json'],
  ['the empty JSON object', Buffer.from('{}'), 'json'],
  ['a raw message', Buffer.from(`${rawHeader}0000000100000000`, 'hex'), 'raw'],
  [
    'a raw message between braces by chance',
    Buffer.from(`7b${rawHeader.slice(2)}00000001000000017d`, 'hex'),
    'raw',
  ],
  ['BSON with a byte too many', Buffer.concat([serialize({ a: 1 }), Buffer.alloc(1)]), 'raw'],
  ['nothing', Buffer.alloc(0), 'raw'],
  ['one brace', Buffer.from('{'), 'raw'],
])('%s', (_, value, form) => {
  expect(messageFormOf(value)).toBe(form);
});
