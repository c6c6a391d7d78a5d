import type { Reader } from '@platformatic/kafka';
import { writeUnsignedVarint } from '../client/varint.ts';

/** Produce v9 to v11 have the same form (KIP-482); v12 differs only for transactions. */
export const PRODUCE = { key: 0, minVersion: 9, maxVersion: 11 } as const;

/** One batch for one partition. */
export interface ProducePart {
  readonly partition: number;
  readonly batch: Buffer;
}

/** The broker's answer for one partition. */
export interface ProduceAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly errorMessage: string | null;
  /** Offset of the batch's first record; -1 when the broker does not say. */
  readonly baseOffset: number;
}

const ACKS_ALL = -1;
const NULL_STRING = 0;
const NO_TAGS = 0;
/** Append time and log start offset. */
const TIME_AND_START_BYTES = 8 + 8;

/**
 * The body of a Produce request as pieces for one gathered write: the batches themselves are not copied.
 * @param options.timeoutMs how long the broker may wait for its replicas
 * @param options.transactionalId for batches that belong to a transaction
 */
export function produceBody(
  topic: string,
  parts: readonly ProducePart[],
  options: { timeoutMs: number; transactionalId: string | undefined },
): Buffer[] {
  const { timeoutMs, transactionalId } = options;
  const name = Buffer.from(topic);
  const id = Buffer.from(transactionalId ?? '');
  const head = Buffer.alloc(name.length + id.length + 32);
  let at = writeUnsignedVarint(head, 0, transactionalId === undefined ? NULL_STRING : id.length + 1);
  at += id.copy(head, at);
  at = head.writeInt16BE(ACKS_ALL, at);
  at = head.writeInt32BE(timeoutMs, at);
  at = writeUnsignedVarint(head, at, 1 + 1);
  at = writeUnsignedVarint(head, at, name.length + 1);
  name.copy(head, at);
  at = writeUnsignedVarint(head, at + name.length, parts.length + 1);
  const pieces: Buffer[] = [head.subarray(0, at)];
  for (const { partition, batch } of parts) {
    // The tags of the partition before stand in front of the next one.
    const before = Buffer.alloc(10);
    let next = pieces.length === 1 ? 0 : writeUnsignedVarint(before, 0, NO_TAGS);
    next = before.writeInt32BE(partition, next);
    next = writeUnsignedVarint(before, next, batch.length + 1);
    pieces.push(before.subarray(0, next), batch);
  }
  pieces.push(Buffer.from([NO_TAGS, NO_TAGS, NO_TAGS]));
  return pieces;
}

/** Reads a Produce response, v9 to v11. */
export function parseProduceResponse(reader: Reader): ProduceAnswer[] {
  const answers: ProduceAnswer[] = [];
  readArray(reader, () => {
    reader.readString();
    readArray(reader, () => answers.push(readAnswer(reader)));
  });
  return answers;
}

function readAnswer(reader: Reader): ProduceAnswer {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  const baseOffset = Number(reader.readInt64());
  reader.skip(TIME_AND_START_BYTES);
  let recordError: string | null = null;
  readArray(reader, () => {
    reader.readInt32();
    recordError ??= reader.readNullableString();
  });
  return { partition, errorCode, baseOffset, errorMessage: reader.readNullableString() ?? recordError };
}

/**
 * Reads a compact array of structures with tagged fields behind each. The client's own reader takes tags for absent,
 * but a broker names the new leader in one when it no longer is it (KIP-951).
 */
function readArray(reader: Reader, readItem: () => void): void {
  const length = reader.readUnsignedVarInt() - 1;
  for (let i = 0; i < length; i++) {
    readItem();
    const tags = reader.readUnsignedVarInt();
    for (let tag = 0; tag < tags; tag++) {
      reader.readUnsignedVarInt();
      reader.skip(reader.readUnsignedVarInt());
    }
  }
}
