import { deadlineSignal } from '../../../shared/deadline-signal.ts';
import { settledOrAborted } from '../../../shared/settled-or-aborted.ts';
import { formatBrokerAddress, type BrokerAddress } from './broker-address.ts';
import type { BrokerConnection } from './broker-connection.ts';

/** A connection that will be wanted. */
export interface WantedConnection {
  readonly address: BrokerAddress;
  /** As of `KafkaCluster.connect`. */
  readonly answerMaxMs: number;
}

/** One that is silent for so long is given up. */
const PING_MAX_MS = 2000;

interface Spare<C> {
  readonly name: string;
  readonly connection: C;
}

/** Connections that are open before they are needed, each of which has answered a moment ago. */
export class SpareConnections<C extends Pick<BrokerConnection, 'isReady' | 'close'> = BrokerConnection> {
  readonly #spares: Spare<C>[] = [];

  /**
   * Opens what is wanted and not there, has every other one answer, and closes what is not wanted.
   * @param how.open a new connection
   * @param how.ping asks it anything
   * @throws what `open` throws
   */
  async keep(
    wanted: readonly WantedConnection[],
    how: {
      readonly open: (one: WantedConnection) => Promise<C>;
      readonly ping: (connection: C) => Promise<unknown>;
    },
  ): Promise<void> {
    const unneeded = this.#spares.map(({ name }) => name);
    const missing: WantedConnection[] = [];
    for (const one of wanted) {
      const at = unneeded.indexOf(nameOf(one));
      if (at < 0) missing.push(one);
      else unneeded.splice(at, 1);
    }
    for (const name of unneeded) this.#take(name)?.close();
    await Promise.all([
      ...this.#spares.map((spare) => this.#check(spare, how.ping)),
      ...missing.map(async (one) => {
        this.#spares.push({ name: nameOf(one), connection: await how.open(one) });
      }),
    ]);
  }

  /** One that fits, which from now on belongs to the caller. */
  take(one: WantedConnection): C | undefined {
    for (;;) {
      const connection = this.#take(nameOf(one));
      if (connection === undefined || connection.isReady) return connection;
      connection.close();
    }
  }

  close(): void {
    for (const { connection } of this.#spares.splice(0)) connection.close();
  }

  async #check(spare: Spare<C>, ping: (connection: C) => Promise<unknown>): Promise<void> {
    const late = deadlineSignal(PING_MAX_MS);
    const isAlive = await settledOrAborted(ping(spare.connection), late).then(
      () => !late.aborted,
      () => false,
    );
    const at = this.#spares.indexOf(spare);
    // Whoever has taken it meanwhile finds out by himself.
    if (isAlive || at < 0) return;
    this.#spares.splice(at, 1);
    spare.connection.close();
  }

  #take(name: string): C | undefined {
    const at = this.#spares.findIndex((spare) => spare.name === name);
    return at < 0 ? undefined : this.#spares.splice(at, 1)[0].connection;
  }
}

function nameOf({ address, answerMaxMs }: WantedConnection): string {
  return `${formatBrokerAddress(address)} ${answerMaxMs}`;
}
