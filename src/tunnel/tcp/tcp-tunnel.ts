import type { ReceiverTunnelOptions } from '../socket/receiver-tunnel-options.ts';
import { SocketTunnel } from '../socket/socket-tunnel.ts';
import { TcpForm } from './tcp-form.ts';
import { TcpSession } from './tcp-session.ts';

/** The tcp tunnel to MongoShake's receiver or ours. */
export function createTcpTunnel(options: ReceiverTunnelOptions): SocketTunnel {
  const { compressor } = options;
  return new SocketTunnel({
    ...options,
    newForm: (shard) => new TcpForm({ shard, compressor }),
    session: (link, signal) => TcpSession.run(link, signal),
  });
}
