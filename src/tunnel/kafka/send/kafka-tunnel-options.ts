import type { KafkaConfig, KafkaExactlyOnceConfig } from '../../../config/config.ts';
import type { Compressor } from '../../../message/compressor.ts';
import type { JsonFormat } from '../../../message/create-entry-encoder.ts';
import type { Logger } from '../../../shared/logger.ts';
import type { MemoryBudget } from '../../../shared/memory-budget.ts';
import type { Foreknowledge } from '../client/foreknowledge.ts';
import type { KafkaCluster } from '../client/kafka-cluster.ts';

export interface ExactlyOnceOptions extends KafkaExactlyOnceConfig {
  /** `id` of the configuration and name of the replica set: whose frontier it is. */
  readonly id: string;
  readonly source: string;
  /** After which the broker aborts an open transaction; default 60 s. */
  readonly transactionTimeoutMs?: number;
}

export interface KafkaTunnelOptions extends KafkaConfig {
  /** undefined: at least once. */
  readonly exactlyOnce: ExactlyOnceOptions | undefined;
  readonly lanes: number;
  /** `tunnel.message`. */
  readonly message: 'raw' | 'bson' | 'json';
  /** `tunnel.json.format`. */
  readonly jsonFormat: JsonFormat;
  /** Threads that encode bson and json; 0: the main thread does it. */
  readonly encoderThreads: number;
  /** Batches of fewer bytes of entries are encoded by the main thread all the same; default 32 KiB. */
  readonly threadBytesMin?: number | undefined;
  /** The compiled program of these threads, for those who run from the sources. */
  readonly encoderProgram?: URL | undefined;
  /** Packs each log of raw messages. */
  readonly compressor: Compressor;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
  /** What a standby has made ready; it lives longer than the tunnel. Without it the tunnel has a cluster of its own. */
  readonly readied?: { readonly cluster: KafkaCluster; readonly known: Foreknowledge } | undefined;
  /** Whether this collector may still write, asked before each request (I5); default always. */
  readonly mayWrite?: (() => boolean) | undefined;
  /** Aborts when it may not any more: then the connections end at once, with what has not left this host. */
  readonly lost?: AbortSignal | undefined;
  /** A batch is sent when it is this long, even without a flush; default 512 KiB. */
  readonly batchBytes?: number;
  /** Most bytes held while they are not acknowledged; default a quarter of the budget, at most 16 MiB. */
  readonly windowBytes?: number;
  /** A broker that gives no answer for so long is taken for dead; default 20 s. */
  readonly requestTimeoutMs?: number;
}
