import { setImmediate } from 'node:timers/promises';
import { MadeUpEntries } from '../../message/made-up-entries.ts';
import { RawTag } from '../../message/raw-message.ts';
import { RawMessageWriter } from '../../message/raw-message-writer.ts';
import { ByteWriter } from '../../shared/byte-writer.ts';
import type { MessageHandler, MessageReader, ReaderTraffic } from '../message-reader.ts';

const ENTRIES_PER_MESSAGE = 64;

/** Makes up entries of as many shards as there are replayers, as fast as these take them. */
export class MockReceiver implements MessageReader {
  readonly failed: AbortSignal;
  readonly trouble = undefined;
  readonly #shards: number;
  readonly #closed = new AbortController();
  readonly #failed = new AbortController();
  #making: Promise<void> | undefined;
  #bytes = 0;
  #messages = 0;

  constructor(options: { shards: number }) {
    this.#shards = options.shards;
    this.failed = this.#failed.signal;
  }

  get traffic(): ReaderTraffic {
    return { bytes: this.#bytes, messages: this.#messages, refused: 0, connections: 0 };
  }

  async open(handler: MessageHandler, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const shards = Array.from({ length: this.#shards }, (_, shard) => this.#make(handler, shard));
    this.#making = Promise.all(shards).then(
      () => undefined,
      (error: unknown) => {
        if (!this.#closed.signal.aborted) this.#failed.abort(error);
      },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed.abort();
    await this.#making;
  }

  async #make(handler: MessageHandler, shard: number): Promise<void> {
    const entries = new MadeUpEntries(`mongoshake_mock.table_${shard}`);
    const writer = new RawMessageWriter();
    while (!this.#closed.signal.aborted) {
      const out = new ByteWriter();
      writer.begin(out, { tag: RawTag.normal, shard });
      for (let i = 0; i < ENTRIES_PER_MESSAGE; i++) writer.append(entries.next());
      writer.finish();
      const bytes = Buffer.from(out.view());
      this.#bytes += bytes.length;
      this.#messages++;
      await handler.handle({ form: 'raw', bytes, shard, tag: RawTag.normal, from: 'mock' });
      await setImmediate();
    }
  }
}
