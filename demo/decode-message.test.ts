import { BSON } from 'mongodb';
import { describe, expect, test } from 'vitest';
import { decodeMessage } from './decode-message.ts';

const update = {
  op: 'u',
  ns: 'shop.orders',
  o2: { _id: 'ord-00000007' },
  o: { $v: 2, diff: { u: { revision: 12 } } },
};

describe('the demo finds its writes in messages', () => {
  test.each([
    ['plain JSON', JSON.stringify(update)],
    ['canonical Extended JSON', JSON.stringify(update).replace('12', '{"$numberInt":"12"}')],
    [
      "MongoShake's key and value pairs",
      '{"op":"u","ns":"shop.orders","o2":{"_id":"ord-00000007"},"o":[{"Key":"diff","Value":[{"Key":"revision","Value":12}]}]}',
    ],
  ])('an update in %s', (_, text) => {
    expect(decodeMessage('json', Buffer.from(text))[0]?.mark).toEqual({
      op: 'u',
      id: 'ord-00000007',
      revision: 12,
    });
  });

  test('an insert whose document names other documents, in bson', () => {
    const entry = { op: 'i', ns: 'shop.payments', o: { _id: 'pay-00000002', order: 'ord-00000001' } };
    const [operation] = decodeMessage('bson', Buffer.from(BSON.serialize(entry)));
    expect(operation?.mark).toEqual({ op: 'i', id: 'pay-00000002', revision: 0 });
    expect(operation?.namespace).toBe('shop.payments');
  });

  test('a command is shown but is no write of the demo', () => {
    const [operation] = decodeMessage(
      'json',
      Buffer.from('{"op":"c","ns":"shop.$cmd","o":{"create":"orders"}}'),
    );
    expect(operation?.mark).toBeUndefined();
    expect(operation?.text).toBe('{"create":"orders"}');
  });
});
