import type { BrokerAddress } from './broker-address.ts';
import type { TopicMetadata, TopicSettings } from './kafka-cluster.ts';

/** What a standby has learnt of a cluster a moment ago, so that a takeover need not ask. What is missing is asked for. */
export interface Foreknowledge {
  readonly topics: ReadonlyMap<string, TopicMetadata>;
  /** Of topics whose settings we may not see: undefined. */
  readonly settings: ReadonlyMap<string, TopicSettings | undefined>;
  /** Who looks after the transactions of an id. */
  readonly coordinators: ReadonlyMap<string, BrokerAddress>;
}

/** Nothing: everything is asked for. */
export const NO_FOREKNOWLEDGE: Foreknowledge = {
  topics: new Map(),
  settings: new Map(),
  coordinators: new Map(),
};
