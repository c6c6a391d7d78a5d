import type { SocketTlsConfig } from '../../config/config.ts';
import type { Logger } from '../../shared/logger.ts';
import type { ReceivedBefore } from './received-before.ts';
import type { SocketAddress } from '../../config/socket-address.ts';

/** What the receiving ends of tcp and rpc are made with. */
export interface ReceiverServerOptions {
  /** For tcp the next port is used too. */
  readonly address: SocketAddress;
  /** undefined: plain. */
  readonly tls: SocketTlsConfig | undefined;
  readonly logger: Logger;
  /** undefined: a sender is never asked for what a receiver before this one may have lost. */
  readonly receivedBefore?: ReceivedBefore | undefined;
  /** Longest message that is taken. */
  readonly messageBytesMax?: number;
  /** Bytes of messages that have not come whole, over all connections. */
  readonly partialBytesMax?: number;
  /** For each port. */
  readonly connectionsMax?: number;
  /** A connection that says nothing at first, or stops within a message, is closed after this. */
  readonly silenceMs?: number;
}

export const RECEIVER_LIMITS = {
  messageBytesMax: 256 * 1024 * 1024,
  partialBytesMax: 512 * 1024 * 1024,
  connectionsMax: 1024,
  silenceMs: 60_000,
} as const;
