import type { ByteQueue } from '../socket/byte-queue.ts';

/**
 * The packets of MongoShake's tcp tunnel. A header of 12 bytes, big endian: magic, version, type, a checksum that is always 0
 * and never looked at, length of what follows. `write` carries a raw message; `getAck` nothing; `returnAck` a
 * signed 64-bit position.
 */
export const PacketType = { getAck: 1, write: 2, returnAck: 3 } as const;

export const PACKET_HEADER_BYTES = 12;
export const ACK_BYTES = 8;

const MAGIC_AND_VERSION = 0xcafe01;
const TYPE_MAX = 3;
const TYPE_AT = 3;
const LENGTH_AT = 8;

export interface PacketHeader {
  readonly type: number;
  /** Bytes after the header. */
  readonly length: number;
}

export function writePacketHeader(bytes: Buffer, at: number, header: PacketHeader): void {
  bytes.writeUInt32BE(MAGIC_AND_VERSION * 0x100 + header.type, at);
  bytes.writeUInt32BE(0, at + 4);
  bytes.writeUInt32BE(header.length, at + LENGTH_AT);
}

/** Takes a header off the queue. @returns undefined when it has not come whole, `invalid` when these bytes are none. */
export function takePacketHeader(queue: ByteQueue): PacketHeader | 'invalid' | undefined {
  const bytes = queue.take(PACKET_HEADER_BYTES);
  if (bytes === undefined) return undefined;
  if (bytes.readUIntBE(0, TYPE_AT) !== MAGIC_AND_VERSION) return 'invalid';
  const type = bytes.readUInt8(TYPE_AT);
  return type > TYPE_MAX ? 'invalid' : { type, length: bytes.readUInt32BE(LENGTH_AT) };
}

/** Asks for the position up to which all is done. */
export function getAckPacket(): Buffer {
  const packet = Buffer.alloc(PACKET_HEADER_BYTES);
  writePacketHeader(packet, 0, { type: PacketType.getAck, length: 0 });
  return packet;
}

/** Answers with a position, or with a negative reply code. */
export function returnAckPacket(ack: bigint): Buffer {
  const packet = Buffer.alloc(PACKET_HEADER_BYTES + ACK_BYTES);
  writePacketHeader(packet, 0, { type: PacketType.returnAck, length: ACK_BYTES });
  packet.writeBigInt64BE(ack, PACKET_HEADER_BYTES);
  return packet;
}
