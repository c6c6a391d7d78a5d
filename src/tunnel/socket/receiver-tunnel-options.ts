import type { Compressor } from '../../message/compressor.ts';
import type { SocketTunnelOptions } from './socket-tunnel.ts';

type Shared = Pick<SocketTunnelOptions, 'addresses' | 'lanes' | 'tls' | 'budget' | 'logger'>;

/** What the collector's ends of tcp and rpc are made with. */
export interface ReceiverTunnelOptions extends Shared {
  /** `incr_sync.worker.oplog_compressor` */
  readonly compressor: Compressor;
}
