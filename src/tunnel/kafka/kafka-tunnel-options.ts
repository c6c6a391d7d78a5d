import type { KafkaConfig } from '../../config/config.ts';
import type { Compressor } from '../../message/compressor.ts';
import type { EntryEncoder } from '../../message/entry-encoder.ts';
import type { Logger } from '../../shared/logger.ts';
import type { MemoryBudget } from '../../shared/memory-budget.ts';

export interface KafkaTunnelOptions extends KafkaConfig {
  readonly lanes: number;
  /** `tunnel.message`. */
  readonly message: 'raw' | 'bson' | 'json';
  /** Makes the encoder of one lane, for bson and json. */
  readonly newEncoder: () => EntryEncoder;
  /** Packs each log of raw messages. */
  readonly compressor: Compressor;
  readonly budget: MemoryBudget;
  readonly logger: Logger;
  /** A batch is sent when it is this long, even without a flush; default 512 KiB. */
  readonly batchBytes?: number;
  /** Most bytes held while they are not acknowledged; default a quarter of the budget, at most 16 MiB. */
  readonly windowBytes?: number;
  /** A broker that gives no answer for so long is taken for dead; default 20 s. */
  readonly requestTimeoutMs?: number;
}
