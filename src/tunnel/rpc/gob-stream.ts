import { ByteQueue } from '../socket/byte-queue.ts';
import { GobCursor } from './gob-cursor.ts';
import { GobError } from './gob-error.ts';
import { GobTypes } from './gob-types.ts';

/** A value as it came: its type, and a cursor at its beginning. */
export interface GobValue {
  readonly type: number;
  readonly cursor: GobCursor;
}

const LENGTH_BYTES_MAX = 9;

/** One direction of a connection that speaks gob: values come out, and types are remembered. */
export class GobStream {
  readonly types = new GobTypes();
  readonly queue = new ByteQueue();
  readonly #messageBytesMax: number;
  #length: number | undefined;

  constructor(messageBytesMax: number) {
    this.#messageBytesMax = messageBytesMax;
  }

  /** Whether bytes have come that are no whole message yet. */
  get isWithinMessage(): boolean {
    return this.#length !== undefined || this.queue.length > 0;
  }

  /**
   * Takes the next value off the queue, and the definitions before it.
   * @returns undefined when it has not come whole
   * @throws GobError for what is no gob, and for messages above the limit
   */
  next(): GobValue | undefined {
    for (;;) {
      this.#length ??= this.#takeLength();
      if (this.#length === undefined) return undefined;
      const bytes = this.queue.take(this.#length);
      if (bytes === undefined) return undefined;
      this.#length = undefined;
      const cursor = new GobCursor(bytes);
      const type = cursor.int();
      if (type >= 0) return { type, cursor };
      this.types.define(-type, cursor);
      if (!cursor.isAtEnd) throw new GobError('something follows a type definition');
    }
  }

  #takeLength(): number | undefined {
    const first = this.queue.peek(0);
    if (first === undefined) return undefined;
    const width = first < 0x80 ? 1 : 0x101 - first;
    if (width > LENGTH_BYTES_MAX) throw new GobError('a bad length');
    const bytes = this.queue.take(width);
    if (bytes === undefined) return undefined;
    const length = new GobCursor(bytes).uint();
    if (length > this.#messageBytesMax) {
      throw new GobError(`a message of ${length} bytes is above ${this.#messageBytesMax}`);
    }
    return length;
  }
}
