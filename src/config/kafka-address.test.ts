import { expect, test } from 'vitest';
import { parseKafkaAddress } from './kafka-address.ts';

test.each([
  [
    'orders@a:9093, b',
    {
      topic: 'orders',
      brokers: [
        { host: 'a', port: 9093 },
        { host: 'b', port: 9092 },
      ],
    },
  ],
  ['a:1', { topic: 'mongoshake', brokers: [{ host: 'a', port: 1 }] }],
  ['t@[::1]:9092', { topic: 't', brokers: [{ host: '::1', port: 9092 }] }],
])('%s is an address', (text, address) => {
  expect(parseKafkaAddress(text)).toEqual(address);
});

test.each(['@a:1', '..@a', 't@', 't@a:70000', 't@a:b', 't@kafka://a:1', `${'x'.repeat(250)}@a`])(
  '%s is none, and says why',
  (text) => {
    expect(parseKafkaAddress(text)).toBeTypeOf('string');
  },
);
