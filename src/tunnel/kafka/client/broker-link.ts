import type { BrokerConnection } from './broker-connection.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { SilenceWatch } from './silence-watch.ts';

/** A broker, as the sender sees it: connected or not. */
export class BrokerLink {
  readonly node: number;
  connection: BrokerConnection | undefined;
  connecting = false;
  /** Produce requests without an answer. */
  requests = 0;
  readonly silence: SilenceWatch<BrokerConnection>;
  readonly #stopped: AbortSignal;

  constructor(node: number, options: { cluster: KafkaCluster; stopped: AbortSignal }) {
    const { cluster, stopped } = options;
    this.node = node;
    this.#stopped = stopped;
    this.silence = new SilenceWatch({
      connect: ({ address }) => cluster.connect(address, stopped),
      replaceBy: (connection) => this.use(connection),
    });
  }

  /** From now on requests go this way; after the stop the connection is closed instead. */
  use(connection: BrokerConnection): void {
    if (this.#stopped.aborted) {
      connection.close();
      return;
    }
    this.connection = connection;
    connection.onClosed(() => {
      if (this.connection === connection) this.connection = undefined;
    });
  }
}
