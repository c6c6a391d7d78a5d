import type { GroupAssignment } from './consumer-group.ts';
import type { PartitionReader } from './partition-reader.ts';

/** The partitions that the group has given to us, each with its reader. */
export class AssignedPartitions {
  readonly #newReader: (partition: number, start: number | undefined) => PartitionReader;
  readonly #readers = new Map<number, PartitionReader>();
  /** Ends of readers, by partition: one that was stopped ends only when the handler has taken its last message. */
  readonly #ended = new Map<number, Promise<void>>();
  #since: GroupAssignment | undefined;

  /** @param newReader makes the reader of a partition that begins at a committed offset, or at the oldest */
  constructor(newReader: (partition: number, start: number | undefined) => PartitionReader) {
    this.#newReader = newReader;
  }

  get size(): number {
    return this.#readers.size;
  }

  get connections(): number {
    return [...this.#readers.values()].filter((reader) => reader.isConnected).length;
  }

  get trouble(): string | undefined {
    for (const { trouble } of this.#readers.values()) if (trouble !== undefined) return trouble;
    return undefined;
  }

  /**
   * Reads what the assignment names and nothing else. A partition that nobody else can have had meanwhile is read on
   * where it was, so that messages in the hands of the handler do not come again; others begin where the group has committed.
   * @throws what `committed` throws; nothing that is not ours is read then, and it can be called again
   */
  async take(
    assignment: GroupAssignment,
    committed: (partitions: readonly number[]) => Promise<ReadonlyMap<number, number>>,
  ): Promise<void> {
    const before = this.#since;
    const isUnbroken =
      before?.memberId === assignment.memberId && assignment.generation - before.generation <= 1;
    const wanted = new Set(assignment.partitions);
    this.#stopReaders((partition) => !isUnbroken || !wanted.has(partition));
    this.#since = assignment;
    const added = assignment.partitions.filter((partition) => !this.#readers.has(partition));
    const starts = added.length === 0 ? new Map<number, number>() : await committed(added);
    for (const partition of added) this.#start(partition, starts.get(partition));
    this.resume();
  }

  /** Nothing is handed over from now on, until `resume`. */
  pause(): void {
    for (const reader of this.#readers.values()) reader.pause();
  }

  resume(): void {
    for (const reader of this.#readers.values()) reader.resume();
  }

  /** Stops reading; what is done meanwhile can still be committed. */
  stop(): void {
    for (const reader of this.#readers.values()) reader.stop();
  }

  /** Gives everything up: it is another's now. */
  drop(): void {
    this.#since = undefined;
    this.#stopReaders(() => true);
  }

  /** Offsets to commit, by partition. */
  uncommitted(): Map<number, number> {
    const offsets = new Map<number, number>();
    for (const [partition, { uncommitted }] of this.#readers) {
      if (uncommitted !== undefined) offsets.set(partition, uncommitted);
    }
    return offsets;
  }

  noteCommitted(offsets: ReadonlyMap<number, number>): void {
    for (const [partition, offset] of offsets) this.#readers.get(partition)?.noteCommitted(offset);
  }

  #start(partition: number, start: number | undefined): void {
    const reader = this.#newReader(partition, start);
    this.#readers.set(partition, reader);
    const before = this.#ended.get(partition) ?? Promise.resolve();
    this.#ended.set(
      partition,
      before.then(() => reader.run()),
    );
  }

  #stopReaders(which: (partition: number) => boolean): void {
    for (const [partition, reader] of this.#readers) {
      if (!which(partition)) continue;
      reader.stop();
      this.#readers.delete(partition);
    }
  }
}
