import type { ReceiverTunnelOptions } from '../socket/receiver-tunnel-options.ts';
import { parseSocketAddress } from '../socket/socket-address.ts';
import { SocketTunnel } from '../socket/socket-tunnel.ts';
import { TcpForm } from './tcp-form.ts';
import { TcpSession } from './tcp-session.ts';

/**
 * The tcp tunnel to MongoShake's receiver or ours.
 * @throws SocketTunnelError when an address is none
 */
export function createTcpTunnel(options: ReceiverTunnelOptions): SocketTunnel {
  const { compressor } = options;
  return new SocketTunnel({
    ...options,
    addresses: options.addresses.map((text) => parseSocketAddress(text, 1)),
    newForm: (shard) => new TcpForm({ shard, compressor }),
    session: (link, signal) => TcpSession.run(link, signal),
  });
}
