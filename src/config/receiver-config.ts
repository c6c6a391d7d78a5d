import type { KafkaSaslConfig, KafkaTlsConfig, LogConfig, SocketTlsConfig } from './config.ts';
import type { KafkaAddress } from './kafka-address.ts';
import type { ReceiverOptionValues } from './receiver-option-table.ts';
import type { SocketAddress } from './socket-address.ts';

/** Where entries come from. */
export type ReceiverTunnelConfig =
  | { readonly kind: 'mock' }
  | {
      readonly kind: 'tcp' | 'rpc';
      readonly address: SocketAddress;
      /** undefined: plain. */
      readonly tls: SocketTlsConfig | undefined;
      /** Remembers that entries were taken. */
      readonly restartFile: string;
    }
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly positionPath: string;
      readonly message: ReceiverOptionValues['tunnel.message'];
    }
  | ({
      readonly kind: 'kafka';
      readonly group: string;
      readonly clientId: string;
      readonly sasl: KafkaSaslConfig | undefined;
      readonly tls: KafkaTlsConfig | undefined;
      readonly message: ReceiverOptionValues['tunnel.message'];
    } & KafkaAddress);

export interface ReplayerConfig {
  readonly count: number;
  /** `print`, `file`, `mongodb`, or the absolute path of a module. */
  readonly module: string;
  readonly output: string;
  /** Of the target of `mongodb`; else empty. */
  readonly mongoUrl: string;
  readonly argument: string;
  readonly batchEntries: number;
  readonly retries: number;
  readonly onError: ReceiverOptionValues['replayer.on_error'];
  readonly deadLetter: string;
}

/** A checked receiver.conf. Deeply frozen. */
export interface ReceiverConfig {
  readonly id: string;
  readonly tunnel: ReceiverTunnelConfig;
  readonly replayer: ReplayerConfig;
  readonly memoryLimitBytes: number;
  /** undefined: no REST pages. */
  readonly http: { readonly bind: string; readonly port: number } | undefined;
  readonly log: LogConfig;
  /** Passwords, as they were given and decoded, so that logs can hide them. */
  readonly secrets: readonly string[];
}
