import type { ReceiverTunnelOptions } from '../socket/receiver-tunnel-options.ts';
import { SocketTunnel } from '../socket/socket-tunnel.ts';
import { RpcForm } from './rpc-form.ts';
import { RpcSession } from './rpc-session.ts';

/** The rpc tunnel to MongoShake's receiver or ours. */
export function createRpcTunnel(options: ReceiverTunnelOptions): SocketTunnel {
  const { compressor } = options;
  return new SocketTunnel({
    ...options,
    newForm: (shard) => new RpcForm({ shard, compressor }),
    session: (link, signal) => RpcSession.run(link, signal),
  });
}
