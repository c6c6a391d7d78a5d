import type { Logger } from '../../../shared/logger.ts';
import type { KafkaTunnelStats } from './kafka-tunnel-stats.ts';

/** A leader that moves, or a topic made a moment ago, refuses a batch or two: nothing that a person needs to know. */
const USUAL_TRIES = 2;

/** Says once that Kafka takes no messages, and once that it does again, however many tries lie between. */
export class TroubleLog {
  readonly #logger: Logger;
  readonly #stats: KafkaTunnelStats;
  #said = false;

  constructor(options: { logger: Logger; stats: KafkaTunnelStats }) {
    this.#logger = options.logger;
    this.#stats = options.stats;
  }

  /** @param options.tries what has been tried in vain before; with `isUsual` only the third time is worth a warning */
  note(trouble: string, options: { isUsual: boolean; tries: number }): void {
    this.#stats.retries++;
    this.#stats.lastError = trouble;
    if (this.#said) return;
    if (options.isUsual && options.tries < USUAL_TRIES) {
      this.#logger.debug({ trouble }, 'Kafka has moved a partition; sending again');
      return;
    }
    this.#said = true;
    this.#logger.warn(
      { trouble },
      'Kafka does not take messages; they are kept and sent again until it does',
    );
  }

  /** All partitions take messages. */
  well(): void {
    if (!this.#said) return;
    this.#said = false;
    this.#logger.info('Kafka takes messages again');
  }
}
