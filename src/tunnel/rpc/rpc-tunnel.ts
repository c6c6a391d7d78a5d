import type { ReceiverTunnelOptions } from '../socket/receiver-tunnel-options.ts';
import { parseSocketAddress } from '../socket/socket-address.ts';
import { SocketTunnel } from '../socket/socket-tunnel.ts';
import { RpcForm } from './rpc-form.ts';
import { RpcSession } from './rpc-session.ts';

/**
 * The rpc tunnel to MongoShake's receiver or ours.
 * @throws SocketTunnelError when an address is none
 */
export function createRpcTunnel(options: ReceiverTunnelOptions): SocketTunnel {
  const { compressor } = options;
  return new SocketTunnel({
    ...options,
    addresses: options.addresses.map((text) => parseSocketAddress(text)),
    newForm: (shard) => new RpcForm({ shard, compressor }),
    session: (link, signal) => RpcSession.run(link, signal),
  });
}
