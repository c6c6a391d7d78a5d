import { expect } from 'vitest';
import { sleep } from '../../src/shared/sleep.ts';
import type { Tunnel } from '../../src/tunnel/tunnel.ts';
import type { TopicRecord } from '../../testbed/read-topic.ts';
import { makeHeader, readEntry } from './oplog-entry.ts';

const LANES = 3;
const FLUSH_EVERY = 200;
const PAUSE_MS = 10;
const never = new AbortController().signal;

/** Sends numbered entries over three lanes, some 20 000 a second, until stopped. */
export class NumberedLoad {
  /** Entries appended, by lane. */
  readonly given = [0, 0, 0];
  /** Entries of which the tunnel said that they are durable, by lane. */
  readonly durable = [0, 0, 0];
  readonly #tunnel: Tunnel;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(tunnel: Tunnel) {
    this.#tunnel = tunnel;
    this.#running = this.#run();
    // Whoever stops the load sees the error.
    this.#running.catch(() => undefined);
  }

  get durableInAll(): number {
    return this.durable.reduce((sum, count) => sum + count);
  }

  /** Stops, and waits until everything that was given is durable. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#tunnel.drain(never);
    expect(this.durable).toEqual(this.given);
  }

  async #run(): Promise<void> {
    for (let i = 0; !this.#stop.signal.aborted; i++) {
      const lane = i % LANES;
      const number = this.given[lane]++;
      await this.#tunnel.lane(lane).append(makeHeader({ lane, number, padBytes: (i * 7919) % 900 }));
      if (i % FLUSH_EVERY === 0) {
        this.#flush();
        // Let sockets have their turn, as a source that waits for the next batch does.
        await sleep(PAUSE_MS, this.#stop.signal);
      }
    }
    this.#flush();
  }

  #flush(): void {
    for (let lane = 0; lane < LANES; lane++) {
      const given = this.given[lane];
      this.#tunnel.lane(lane).flush(() => {
        this.durable[lane] = given;
      });
    }
  }

  /** Expects that the records are what was given: all, each once, in the order of its lane. */
  expectExactly(records: ReadonlyArray<Pick<TopicRecord, 'value'>>): void {
    const next = [0, 0, 0];
    let wrong = 0;
    for (const { value } of records) {
      const { lane, number } = readEntry(value ?? Buffer.alloc(0));
      if (number !== next[lane]) wrong++;
      next[lane] = number + 1;
    }
    expect({ wrong, records: records.length, next }).toEqual({
      wrong: 0,
      records: this.given.reduce((sum, count) => sum + count),
      next: this.given,
    });
  }
}
