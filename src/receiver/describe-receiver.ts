import type { ReceiverConfig } from '../config/receiver-config.ts';

/** What a receiver does, in one line: `tcp on 0.0.0.0:3999 -> 8 x print`. */
export function describeReceiver({ tunnel, replayer }: ReceiverConfig): string {
  return `${sourceOf(tunnel)} -> ${replayer.count} x ${replayer.module}`;
}

function sourceOf(tunnel: ReceiverConfig['tunnel']): string {
  switch (tunnel.kind) {
    case 'mock':
      return 'made-up entries';
    case 'file':
      return `file ${tunnel.path}`;
    case 'kafka': {
      const brokers = tunnel.brokers.map(({ host, port }) => `${host}:${port}`);
      return `topic ${tunnel.topic} on ${brokers.join(',')} as group ${tunnel.group}`;
    }
    default:
      return `${tunnel.kind} on ${tunnel.address.host}:${tunnel.address.port}`;
  }
}
