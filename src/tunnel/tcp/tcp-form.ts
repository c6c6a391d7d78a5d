import type { Compressor } from '../../message/compressor.ts';
import { RawTag } from '../../message/raw-message.ts';
import { RawMessageWriter } from '../../message/raw-message-writer.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import { must } from '../../shared/assert.ts';
import type { FinishedMessage, MessageForm } from '../socket/message-form.ts';
import { PACKET_HEADER_BYTES, PacketType, writePacketHeader } from './packet.ts';

/** Lowest byte of the tag in a raw message. */
const TAG_BYTE_AT = 7;

/** A packet that carries a raw message. */
export class TcpForm implements MessageForm {
  readonly #writer: RawMessageWriter;
  readonly #shard: number;
  #out: ByteWriter | undefined;

  constructor(options: { shard: number; compressor: Compressor }) {
    this.#writer = new RawMessageWriter(options);
    this.#shard = options.shard;
  }

  begin(out: ByteWriter): void {
    this.#out = out;
    out.ensure(PACKET_HEADER_BYTES);
    out.length = PACKET_HEADER_BYTES;
    this.#writer.begin(out, { tag: RawTag.resident, shard: this.#shard });
  }

  append(bytes: Buffer, start: number, end: number): void {
    this.#writer.append(bytes, start, end);
  }

  finish(): FinishedMessage {
    const out = must(this.#out, 'no packet was begun');
    this.#writer.finish();
    writePacketHeader(out.bytes, 0, { type: PacketType.write, length: out.length - PACKET_HEADER_BYTES });
    return { startAt: 0, tagByteAt: PACKET_HEADER_BYTES + TAG_BYTE_AT };
  }
}
