import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { Logger } from '../../shared/logger.ts';
import type { LaneWriter, Tunnel, TunnelTraffic } from '../tunnel.ts';

/** Drops entries and counts them. */
class MockLane implements LaneWriter {
  readonly pendingBytes = 0;
  entries = 0;
  bytes = 0;
  readonly #index: number;
  readonly #logger: Logger;

  constructor(index: number, logger: Logger) {
    this.#index = index;
    this.#logger = logger;
  }

  append(header: EntryHeader): undefined {
    this.entries++;
    this.bytes += header.end - header.start;
  }

  flush(onDurable: () => void): void {
    this.#logger.debug(`mock tunnel: lane ${this.#index} took ${this.entries} entries, ${this.bytes} bytes`);
    // Not at once: callers may count on their flush having returned, as with every other tunnel.
    queueMicrotask(onDurable);
  }
}

/**
 * MongoShake's `tunnel = mock`: every entry is counted, logged at debug level and durable at once, nowhere. It shows
 * how fast reading alone is.
 */
export class MockTunnel implements Tunnel {
  readonly failed: AbortSignal = new AbortController().signal;
  readonly trouble = undefined;
  readonly #lanes: MockLane[];

  constructor(options: { lanes: number; logger: Logger }) {
    this.#lanes = Array.from({ length: options.lanes }, (_, index) => new MockLane(index, options.logger));
  }

  /** Entries taken over all lanes. */
  get entries(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.entries, 0);
  }

  /** Bytes of BSON taken over all lanes. */
  get bytes(): number {
    return this.#lanes.reduce((sum, lane) => sum + lane.bytes, 0);
  }

  get traffic(): TunnelTraffic {
    return { bytes: this.bytes, retries: 0 };
  }

  async open(): Promise<void> {}

  lane(index: number): LaneWriter {
    return this.#lanes[index];
  }

  /** Resolves after the receipts of all earlier flushes. */
  async drain(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
