import { assert } from '../shared/assert.ts';
import type { ByteWriter } from '../shared/byte-writer.ts';
import { COMPRESSORS, compressLog, type Compressor } from './compressor.ts';
import { Crc32Sum } from './crc32-sum.ts';
import { RAW_HEADER_BYTES, RAW_LENGTH_BYTES } from './raw-message.ts';

/** Writes raw messages one after the other; one instance serves a lane for its whole life. */
export class RawMessageWriter {
  readonly #compressor: Compressor;
  #out: ByteWriter | undefined;
  #startAt = 0;
  #tag = 0;
  #shard = 0;
  readonly #checksum = new Crc32Sum();
  #logs = 0;

  constructor(options: { compressor?: Compressor } = {}) {
    this.#compressor = options.compressor ?? 'none';
  }

  /** How many logs the message has so far. */
  get logs(): number {
    return this.#logs;
  }

  /** Begins a message at the end of `out`. Nothing else may be written to `out` until {@link finish}. */
  begin(out: ByteWriter, header: { tag: number; shard: number }): void {
    assert(this.#out === undefined, 'a raw message was begun before the last was finished');
    out.ensure(RAW_HEADER_BYTES);
    this.#out = out;
    this.#startAt = out.length;
    this.#tag = header.tag;
    this.#shard = header.shard;
    this.#logs = 0;
    out.length += RAW_HEADER_BYTES;
  }

  /** Appends the log `bytes[start, end)`, compressed on its own. */
  append(bytes: Buffer, start = 0, end = bytes.length): void {
    assert(this.#out !== undefined, 'a log was appended to no raw message');
    const out = this.#out;
    const log = compressLog(this.#compressor, bytes, start, end);
    if (log === undefined) this.#appendAsIs(out, bytes, start, end);
    else this.#appendAsIs(out, log, 0, log.length);
  }

  /** Completes the header. A message without logs says compressor 0, as MongoShake's does. */
  finish(): void {
    assert(this.#out !== undefined, 'no raw message was begun');
    const { bytes } = this.#out;
    const at = this.#startAt;
    bytes.writeUInt32BE(this.#checksum.take(), at);
    bytes.writeUInt32BE(this.#tag, at + 4);
    bytes.writeUInt32BE(this.#shard, at + 8);
    bytes.writeUInt32BE(this.#logs === 0 ? 0 : COMPRESSORS.indexOf(this.#compressor), at + 12);
    bytes.writeUInt32BE(this.#logs, at + 16);
    this.#out = undefined;
  }

  /** Drops the message that was begun, for instance because a log cannot be read. */
  abandon(): void {
    if (this.#out !== undefined) this.#out.length = this.#startAt;
    this.#checksum.take();
    this.#out = undefined;
  }

  #appendAsIs(out: ByteWriter, bytes: Buffer, start: number, end: number): void {
    const length = end - start;
    out.ensure(RAW_LENGTH_BYTES + length);
    const target = out.bytes;
    const at = out.length;
    target[at] = length >>> 24;
    target[at + 1] = length >>> 16;
    target[at + 2] = length >>> 8;
    target[at + 3] = length;
    bytes.copy(target, at + RAW_LENGTH_BYTES, start, end);
    out.length = at + RAW_LENGTH_BYTES + length;
    this.#checksum.add(target, at + RAW_LENGTH_BYTES, out.length);
    this.#logs++;
  }
}
