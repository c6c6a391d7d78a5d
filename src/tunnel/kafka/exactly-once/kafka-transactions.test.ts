import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BatchPreparer } from '../send/batch-preparer.ts';
import { ChunkPool } from '../send/chunk-pool.ts';
import { KafkaTransactions } from './kafka-transactions.ts';
import type { PartitionHost } from '../send/partition-host.ts';
import { PartitionWriter } from '../send/partition-writer.ts';
import type { PendingBatch } from '../send/pending-batch.ts';
import type { TopicPartitions } from './transaction-coordinator.ts';

const INTERVAL_MS = 100;
const BATCH_BYTES = 64 * 1024;
/** More than comes between two marks when we keep up with the source. */
const MUCH_BYTES = 3 * 1024 * 1024;
const place = { ns: 'shop.orders', seconds: 1, increment: 1 };

/** Transactions over one partition and the checkpoint's; the test is the broker. */
class Bed {
  readonly transactions: KafkaTransactions;
  readonly partition: PartitionWriter;
  readonly checkpoint: PartitionWriter;
  /** Sent, and not acknowledged. */
  readonly sent: Array<{ partition: PartitionWriter; batch: PendingBatch }> = [];
  readonly added: string[] = [];
  /** How long the coordinator takes for an answer. */
  answerMs = 0;
  /** Whether a request to end the transaction may come again later. */
  mayEndAgain = false;
  epoch = 0;
  commits = 0;

  constructor() {
    const host = this.#partitionHost();
    this.partition = new PartitionWriter(0, host);
    this.checkpoint = new PartitionWriter(0, host);
    this.transactions = new KafkaTransactions({
      coordinator: {
        add: async (topics) => {
          await this.#answer();
          this.added.push(namesOf(topics));
        },
        end: async () => {
          await this.#answer();
          return this.mayEndAgain;
        },
        renew: () => Promise.resolve({ id: 7n, epoch: ++this.epoch }),
      },
      partitions: [this.partition],
      checkpoint: this.checkpoint,
      topic: 'messages',
      checkpointTopic: 'checkpoint',
      intervalMs: INTERVAL_MS,
      committed: undefined,
      sendAll: () => undefined,
      writeFrontier: () => this.#append(this.checkpoint, 100),
      ready: (partition) => this.#send(partition),
      onCommitted: () => void this.commits++,
      fail: (error) => {
        throw error;
      },
    });
  }

  append(bytes: number): void {
    for (let left = bytes; left > 0; left -= BATCH_BYTES / 4) this.#append(this.partition, BATCH_BYTES / 4);
  }

  mark(position: bigint): void {
    this.partition.requestFlush();
    this.transactions.mark({ resumeAfter: position, deliveredThrough: position });
  }

  /** The broker holds everything that has been sent, and what is sent thereupon, except for the last `but` batches. */
  acknowledge(but = 0): void {
    while (this.sent.length > but) {
      const first = this.sent.shift();
      first?.partition.done(first.batch);
      if (first !== undefined) this.#send(first.partition);
    }
  }

  /** By whom the batches on their way are sent, as their headers say. */
  producersOf(partition: PartitionWriter): Array<{ epoch: number; sequence: number }> {
    return this.sent
      .filter((sent) => sent.partition === partition)
      .map(({ batch: { wireBytes } }) => ({
        epoch: wireBytes.readInt16BE(51),
        sequence: wireBytes.readInt32BE(53),
      }));
  }

  async pass(ms: number): Promise<void> {
    await vi.advanceTimersByTimeAsync(ms);
  }

  /** Commits a first transaction whose two answers of the coordinator take so long each. */
  async commitFirst(answerMs: number): Promise<void> {
    this.answerMs = answerMs;
    this.append(1);
    this.mark(1n);
    await this.pass(INTERVAL_MS + answerMs);
    this.acknowledge();
    await this.pass(answerMs);
  }

  #append(partition: PartitionWriter, bytes: number): void {
    partition.appendBytes(0, place, { bytes: Buffer.alloc(bytes), valueEnd: bytes });
  }

  #send(partition: PartitionWriter): void {
    for (let batch = partition.takeNext(); batch !== undefined; batch = partition.takeNext()) {
      this.sent.push({ partition, batch });
    }
  }

  #answer(): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, this.answerMs));
  }

  #partitionHost(): PartitionHost {
    const transactions = (): KafkaTransactions => this.transactions;
    const pool = new ChunkPool(0);
    const limits = { targetBytes: BATCH_BYTES, maxBytes: BATCH_BYTES };
    const hold = (): void => undefined;
    const fail = (error: unknown): void => {
      throw error;
    };
    return {
      pool,
      preparer: new BatchPreparer({ pool, compressor: undefined, encoding: undefined, limits, hold, fail }),
      limits,
      lanes: 1,
      compressor: undefined,
      withHeaders: false,
      get transactions() {
        return transactions();
      },
      hold,
      ready: (partition) => this.#send(partition),
      acknowledged: (batch) => this.transactions.acknowledged(batch),
      recordTooLarge: () => fail(new Error('a record was too large')),
      fail,
    };
  }
}

function namesOf(topics: readonly TopicPartitions[]): string {
  return topics.map(({ name }) => name).join('+');
}

describe('Kafka transactions', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('are closed an interval apart while we keep up with the source', async () => {
    const bed = new Bed();
    await bed.commitFirst(10);
    for (let i = 0n; i < 50n; i++) {
      bed.append(MUCH_BYTES / 50);
      bed.mark(2n + i);
    }
    await bed.pass(INTERVAL_MS - 21);
    bed.acknowledge(1);
    expect(bed.transactions.filling).toBe(2);
    await bed.pass(1);
    expect(bed.transactions.filling).toBe(3);
  });

  test('are closed at the first mark after a quiet time', async () => {
    const bed = new Bed();
    await bed.commitFirst(10);
    expect(bed.commits).toBe(1);
    await bed.pass(INTERVAL_MS);
    bed.append(1000);
    expect(bed.transactions.filling).toBe(2);
    bed.mark(2n);
    expect(bed.transactions.filling).toBe(3);
  });

  test('stay open for longer while we are behind, so that pauses take little of the time', async () => {
    const bed = new Bed();
    await bed.commitFirst(10);
    bed.append(MUCH_BYTES);
    bed.mark(2n);
    await bed.pass(INTERVAL_MS * 7);
    bed.acknowledge(1);
    bed.append(MUCH_BYTES);
    bed.mark(3n);
    expect(bed.transactions.filling).toBe(2);
    await bed.pass(INTERVAL_MS);
    expect(bed.transactions.filling).toBe(3);
  });

  test('are closed soon although we are behind when nothing is on its way and nothing more comes', async () => {
    const bed = new Bed();
    await bed.commitFirst(500);
    bed.append(MUCH_BYTES);
    bed.mark(2n);
    await bed.pass(INTERVAL_MS + 500);
    bed.acknowledge(1);
    bed.append(MUCH_BYTES);
    bed.mark(3n);
    await bed.pass(10);
    bed.acknowledge();
    await bed.pass(9);
    // Marks that have nothing before them do not count.
    bed.mark(4n);
    expect(bed.transactions.filling).toBe(2);
    await bed.pass(1);
    expect(bed.transactions.filling).toBe(3);
    await bed.pass(500);
    bed.acknowledge();
    await bed.pass(500);
    expect(bed.commits).toBe(2);
  });

  test('begin with a claim of what was committed before, when nothing new comes', async () => {
    const bed = new Bed();
    bed.transactions.claim();
    await bed.pass(INTERVAL_MS - 1);
    expect(bed.added).toEqual(['messages+checkpoint']);
    expect(bed.sent).toEqual([]);
    await bed.pass(1);
    expect(bed.sent).toHaveLength(1);
    bed.acknowledge();
    await bed.pass(1);
    expect(bed.commits).toBe(1);
  });

  test('need no claim of its own when something new comes, marked or not', async () => {
    const bed = new Bed();
    bed.transactions.claim();
    bed.append(1000);
    await bed.pass(INTERVAL_MS * 2);
    expect(bed.transactions.filling).toBe(1);
    bed.mark(1n);
    expect(bed.transactions.filling).toBe(2);
    await bed.pass(1);
    bed.acknowledge();
    await bed.pass(INTERVAL_MS * 2);
    expect(bed.commits).toBe(1);
  });

  test('take a partition in once, however often it asks meanwhile', async () => {
    const bed = new Bed();
    bed.answerMs = 10;
    for (let i = 0; i < 3; i++) {
      bed.append(BATCH_BYTES);
      await bed.pass(1);
    }
    await bed.pass(100);
    expect(bed.added).toEqual(['messages+checkpoint']);
    expect(bed.sent.length).toBeGreaterThan(0);
  });

  test('ask for a turn of the event loop after each batch that is filled while an answer is waited for', async () => {
    const bed = new Bed();
    await bed.commitFirst(10);
    expect(bed.transactions.wantsTurn).toBe(false);
    bed.append(BATCH_BYTES);
    expect(bed.transactions.wantsTurn).toBe(false);
    bed.mark(2n);
    await bed.pass(INTERVAL_MS);
    bed.append(BATCH_BYTES);
    expect(bed.transactions.wantsTurn).toBe(true);
    const turned: string[] = [];
    setImmediate(() => turned.push('the loop'));
    await bed.transactions.turn();
    expect(turned).toEqual(['the loop']);
    expect(bed.transactions.wantsTurn).toBe(false);
  });

  test('I8: after a request to commit that had no answer, what follows has another epoch, and sequences from 0', async () => {
    const bed = new Bed();
    await bed.commitFirst(5);
    const before = bed.producersOf(bed.partition);
    bed.mayEndAgain = true;
    bed.append(10);
    bed.mark(2n);
    await bed.pass(INTERVAL_MS + 5);
    // Encoded, and finished for the epoch of before, while the second transaction is being committed.
    bed.append(2 * BATCH_BYTES);
    bed.acknowledge();
    await bed.pass(5);
    bed.mark(3n);
    await bed.pass(INTERVAL_MS + 5);
    const after = bed.producersOf(bed.partition);
    expect(before).toEqual([]);
    // One goes alone until the broker has taken it.
    expect(after).toEqual([{ epoch: 1, sequence: 0 }]);
  });
});
