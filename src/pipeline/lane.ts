import type { LaneStats } from '../metrics/replication-stats.ts';
import type { EntryHeader } from '../oplog/entry-header.ts';
import type { Position } from '../oplog/position.ts';
import type { LaneWriter } from '../tunnel/tunnel.ts';

/**
 * One ordered way to the far side: a tunnel's writer, what is counted about it, and whether it has been
 * given anything since its last flush.
 */
export class Lane {
  readonly stats: LaneStats;
  readonly #writer: LaneWriter;
  /** Entries given since the last flush. */
  #unflushed = 0;

  constructor(writer: LaneWriter, stats: LaneStats) {
    this.#writer = writer;
    this.stats = stats;
  }

  get hasUnflushed(): boolean {
    return this.#unflushed > 0;
  }

  /** Gives one entry; a promise only when the caller must wait before the next one. */
  append(header: EntryHeader): Promise<void> | undefined {
    this.#unflushed++;
    return this.#writer.append(header);
  }

  /** Sends what was given; `onDurable` is called once the far side holds all of it (I3). */
  flush(lastPosition: Position, onDurable: (entries: number) => void): void {
    const stats = this.stats;
    const entries = this.#unflushed;
    this.#unflushed = 0;
    stats.entries += entries;
    stats.entriesInFlight += entries;
    stats.batchesInFlight++;
    stats.lastGiven = lastPosition;
    this.#writer.flush(() => {
      stats.entriesInFlight -= entries;
      stats.batchesInFlight--;
      stats.lastDurable = lastPosition;
      onDurable(entries);
    });
  }
}
