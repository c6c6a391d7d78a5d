import { COMPRESSORS, compressLog, type Compressor } from '../../message/compressor.ts';
import { Crc32Sum } from '../../message/crc32-sum.ts';
import { RawTag } from '../../message/raw-message.ts';
import { must } from '../../shared/assert.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import type { FinishedMessage, MessageForm } from '../socket/message-form.ts';
import { uintWidth, writeUint } from './gob-writer.ts';
import { MESSAGE_TYPE } from './rpc-wire.ts';

/** Room in front of the logs for length, type and the fields of the header at their longest. */
const HEAD_BYTES = 48;
const UINT_BYTES_MAX = 9;

/** A TMessage in gob. Its head goes right in front of the logs when they are all there. */
export class RpcForm implements MessageForm {
  readonly #shard: number;
  readonly #compressor: Compressor;
  readonly #head = Buffer.alloc(HEAD_BYTES);
  #out: ByteWriter | undefined;
  readonly #checksum = new Crc32Sum();
  #logs = 0;

  constructor(options: { shard: number; compressor: Compressor }) {
    this.#shard = options.shard;
    this.#compressor = options.compressor;
  }

  begin(out: ByteWriter): void {
    this.#out = out;
    this.#checksum.take();
    this.#logs = 0;
    out.ensure(HEAD_BYTES);
    out.length = HEAD_BYTES;
  }

  append(bytes: Buffer, start: number, end: number): void {
    const log = compressLog(this.#compressor, bytes, start, end);
    if (log === undefined) this.#append(bytes, start, end);
    else this.#append(log, 0, log.length);
  }

  finish(): FinishedMessage {
    const out = must(this.#out, 'no message was begun');
    out.ensure(1);
    out.bytes[out.length++] = 0;
    const head = this.#head;
    const { at, tagByteAt } = this.#writeFields();
    const bodyBytes = at + out.length - HEAD_BYTES;
    const lengthBytes = uintWidth(bodyBytes);
    const startAt = HEAD_BYTES - at - lengthBytes;
    writeUint(out.bytes, startAt, bodyBytes);
    head.copy(out.bytes, startAt + lengthBytes, 0, at);
    return { startAt, tagByteAt: startAt + lengthBytes + tagByteAt };
  }

  #append(bytes: Buffer, start: number, end: number): void {
    const out = must(this.#out, 'no message was begun');
    out.ensure(UINT_BYTES_MAX + end - start);
    const at = writeUint(out.bytes, out.length, end - start);
    bytes.copy(out.bytes, at, start, end);
    out.length = at + end - start;
    this.#checksum.add(out.bytes, at, out.length);
    this.#logs++;
  }

  /** Type and fields up to the number of logs. Fields that are 0 are left out, and the next one counts from the last one sent. */
  #writeFields(): { at: number; tagByteAt: number } {
    const head = this.#head;
    let last = 0;
    let tagByteAt = 0;
    let at = MESSAGE_TYPE.copy(head);
    const compress = COMPRESSORS.indexOf(this.#compressor);
    const values = [this.#checksum.take(), RawTag.resident, this.#shard, compress, this.#logs];
    for (const [index, value] of values.entries()) {
      if (value === 0) continue;
      at = writeUint(head, at, index + 1 - last);
      at = writeUint(head, at, value);
      last = index + 1;
      if (index === 1) tagByteAt = at - 1;
    }
    return { at, tagByteAt };
  }
}
