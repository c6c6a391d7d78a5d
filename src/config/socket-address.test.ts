import { describe, expect, it } from 'vitest';
import { formatSocketAddress, parseSocketAddress } from './socket-address.ts';

describe('the address of a receiver', () => {
  it.each([
    ['10.0.0.5:8000', { host: '10.0.0.5', port: 8000 }],
    [' receiver.example:1 ', { host: 'receiver.example', port: 1 }],
    ['[::1]:8000', { host: '::1', port: 8000 }],
    [':8000', { host: '', port: 8000 }],
  ])('%s is read', (text, address) => {
    expect(parseSocketAddress(text, 0)).toEqual(address);
    expect(formatSocketAddress(address)).toBe(text.trim());
  });

  it.each(['', 'host', 'host:', 'host:0', 'host:65536', 'topic@host:9092', 'tcp://host:1', '::1:80'])(
    '"%s" is none',
    (text) => {
      expect(parseSocketAddress(text, 0)).toBe('it is not host:port');
    },
  );

  it('must leave a port for the acks of tcp', () => {
    expect(parseSocketAddress('host:65535', 0)).toEqual({ host: 'host', port: 65535 });
    expect(parseSocketAddress('host:65535', 1)).toContain('next port');
  });
});
