import { sleep } from '../../../shared/sleep.ts';
import { SilentBrokerError, type BrokerConnection } from './broker-connection.ts';

/** What is asked of a connection. */
export type WatchedConnection = Pick<BrokerConnection, 'silentMs' | 'isOpen' | 'name' | 'close'>;

export interface SilenceWatchOptions<C extends WatchedConnection> {
  /** Another connection to the broker of this one; its first request has been answered. */
  readonly connect: (silent: C) => Promise<C>;
  /** From now on the given connection is to be used; the silent one is closed after it. */
  readonly replaceBy: (connection: C) => void;
}

/** Beyond what a broker under load or in a garbage collection takes. */
const PATIENCE_MIN_MS = 4000;
const PATIENCE_MAX_MS = 20_000;
/** A broker that has just woken answers the connection that it had and a new one at about the same time. */
const GRACE_MS = 500;

/**
 * Gives up a connection on which nothing comes while its broker answers on another: one that a firewall has forgotten, or that a cut
 * of the network has left behind. A broker that is silent everywhere is waited for.
 *
 * A broker may have good reason to answer late, with `acks=all` when a replica is slow. To send again is then useless and does no harm, for it knows
 * the batches by their sequences; the patience doubles each time until there is an answer.
 */
export class SilenceWatch<C extends WatchedConnection> {
  readonly #options: SilenceWatchOptions<C>;
  #patienceMs = PATIENCE_MIN_MS;
  #isTrying = false;

  constructor(options: SilenceWatchOptions<C>) {
    this.#options = options;
  }

  /** Call it now and then with the connection that is used. */
  check(connection: C | undefined): void {
    if (connection === undefined || this.#isTrying || connection.silentMs < this.#patienceMs) return;
    this.#isTrying = true;
    this.#tryAnother(connection)
      // It cannot be reached: what is there already is as good, until its time is over.
      .catch(() => undefined)
      .finally(() => {
        this.#isTrying = false;
      });
  }

  /** An answer has come. */
  answered(): void {
    this.#patienceMs = PATIENCE_MIN_MS;
  }

  async #tryAnother(silent: C): Promise<void> {
    const other = await this.#options.connect(silent);
    await sleep(GRACE_MS);
    if (!silent.isOpen || silent.silentMs < this.#patienceMs) {
      other.close();
      return;
    }
    const seconds = Math.round(silent.silentMs / 1000);
    this.#patienceMs = Math.min(2 * this.#patienceMs, PATIENCE_MAX_MS);
    this.#options.replaceBy(other);
    silent.close(
      new SilentBrokerError(`no answer from ${silent.name} for ${seconds} s, but on a new connection`),
    );
  }
}
