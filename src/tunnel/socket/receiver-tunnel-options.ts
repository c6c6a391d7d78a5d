import type { Compressor } from '../../message/compressor.ts';
import type { SocketTunnelOptions } from './socket-tunnel.ts';

type Shared = Pick<SocketTunnelOptions, 'lanes' | 'tls' | 'budget' | 'logger'>;

/** What the collector's ends of tcp and rpc are made with. */
export interface ReceiverTunnelOptions extends Shared {
  /** `tunnel.address`: lane i goes to receiver i modulo their number. */
  readonly addresses: readonly string[];
  /** `incr_sync.worker.oplog_compressor` */
  readonly compressor: Compressor;
}
