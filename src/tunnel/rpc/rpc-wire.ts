import { RAW_HEADER_BYTES, RAW_LENGTH_BYTES } from '../../message/raw-message.ts';
import { GobError } from './gob-error.ts';
import type { GobStream, GobValue } from './gob-stream.ts';
import { GobTypeId, type GobField } from './gob-types.ts';
import { encodeInt64, gobMessage, gobText, gobUint } from './gob-writer.ts';

/**
 * What Go's net/rpc sends for MongoShake's one method: for a call `Request{ServiceMethod, Seq}` and a `TMessage`, for an answer
 * `Response{ServiceMethod, Seq, Error}` and an int64. The definitions of the types are those that a MongoShake of
 * 2.8.4 sends; a receiver goes by the names in them.
 */
export const TRANSFER_METHOD = 'TunnelRPC.Transfer';

/** `type Request struct { ServiceMethod string; Seq uint64 }`, type 64. */
export const REQUEST_DEFINITION = Buffer.from(
  '2e7f030101075265717565737401ff80000102010d536572766963654d6574686f64010c0001035365710106000000',
  'hex',
);
/** `type TMessage struct { Checksum, Tag, Shard, Compress uint32; RawLogs [][]byte }`, type 65, and its list, type 66. */
export const MESSAGE_DEFINITION = Buffer.from(
  '4fff8103010108544d65737361676501ff820001050108436865636b73756d0106000103546167010600010553686172640106000108436f6d707265737301060001075261774c6f677301ff840000' +
    '0017ff83020101095b5d5b5d75696e743801ff8400010a0000',
  'hex',
);
/** `type Response struct { ServiceMethod string; Seq uint64; Error string }`, type 67. */
const RESPONSE_DEFINITION = Buffer.from(
  '3aff8503010108526573706f6e736501ff86000103010d536572766963654d6574686f64010c00010353657101060001054572726f72010c000000',
  'hex',
);
/** `struct{}`, type 68: what goes with an error. */
const EMPTY_DEFINITION = Buffer.from('0aff87030102ff88000000', 'hex');
const REQUEST_TYPE = Buffer.from('ff80', 'hex');
export const MESSAGE_TYPE = Buffer.from('ff82', 'hex');
const RESPONSE_TYPE = Buffer.from('ff86', 'hex');
const EMPTY_VALUE = Buffer.from('03ff8800', 'hex');
const INT64_TYPE = Buffer.from('0400', 'hex');
const END = Buffer.alloc(1);

const METHOD_BYTES_MAX = 256;
const ERROR_BYTES_MAX = 4096;
const UINT32_MAX = 0xffff_ffff;

/** A call's head; definitions go before the first. */
export function encodeRequest(seq: number): Buffer {
  const request = gobMessage(REQUEST_TYPE, Buffer.of(1), gobText(TRANSFER_METHOD), encodeSeq(seq), END);
  return seq === 0 ? Buffer.concat([REQUEST_DEFINITION, request, MESSAGE_DEFINITION]) : request;
}

/** A TMessage without entries. */
export function encodeEmptyMessage(tag: number, shard: number): Buffer {
  const shardField = shard === 0 ? END.subarray(1) : Buffer.concat([Buffer.of(1), gobUint(shard)]);
  return gobMessage(MESSAGE_TYPE, Buffer.of(2), gobUint(tag), shardField, END);
}

/** Writes the answers of one connection. */
export class RpcAnswers {
  #isFirst = true;
  #isFirstError = true;

  /** The answer to call `seq` of `method`: a number, or an error of net/rpc. */
  encode(call: { method: string; seq: number }, answer: bigint | { error: string }): Buffer {
    const error = typeof answer === 'bigint' ? '' : answer.error;
    const fields = [RESPONSE_TYPE, Buffer.of(1), gobText(call.method), encodeSeq(call.seq)];
    // Fields are numbered by the distance from the last one sent.
    if (error !== '') fields.push(Buffer.of(call.seq === 0 ? 2 : 1), gobText(error));
    const response = gobMessage(...fields, END);
    const parts = this.#isFirst ? [RESPONSE_DEFINITION, response] : [response];
    this.#isFirst = false;
    if (typeof answer === 'bigint') {
      parts.push(gobMessage(INT64_TYPE, encodeInt64(answer)));
    } else {
      if (this.#isFirstError) parts.push(EMPTY_DEFINITION);
      this.#isFirstError = false;
      parts.push(EMPTY_VALUE);
    }
    return Buffer.concat(parts);
  }
}

/** @throws GobError when the value is no request */
export function readRequest(stream: GobStream, value: GobValue): { method: string; seq: number } {
  let method = '';
  let seq = 0;
  eachField(stream, value, (field) => {
    if (is(field, 'ServiceMethod', GobTypeId.string)) method = value.cursor.text(METHOD_BYTES_MAX);
    else if (is(field, 'Seq', GobTypeId.uint)) seq = value.cursor.uint();
    else return false;
    return true;
  });
  return { method, seq };
}

/** @throws GobError when the value is no response */
export function readResponse(stream: GobStream, value: GobValue): { seq: number; error: string } {
  let error = '';
  let seq = 0;
  eachField(stream, value, (field) => {
    if (is(field, 'Seq', GobTypeId.uint)) seq = value.cursor.uint();
    else if (is(field, 'Error', GobTypeId.string)) error = value.cursor.text(ERROR_BYTES_MAX);
    else return false;
    return true;
  });
  return { seq, error };
}

/** @throws GobError when the value is no int64 */
export function readInt64({ type, cursor }: GobValue): bigint {
  if (type !== GobTypeId.int || cursor.uint() !== 0) throw new GobError('an answer is no number');
  return cursor.int64();
}

/** The bytes of a raw message that a TMessage holds. @throws GobError when it is none */
export function readMessage(stream: GobStream, value: GobValue): Buffer {
  const { cursor } = value;
  const numbers: Record<string, number> = {};
  let logsAt: number | undefined;
  eachField(stream, value, (field) => {
    if (field.name === 'RawLogs') {
      logsAt = cursor.at;
      checkLogsType(stream, field);
      return false;
    }
    if (field.type !== GobTypeId.uint) return false;
    numbers[field.name] = cursor.uint();
    if (numbers[field.name] > UINT32_MAX) throw new GobError(`${field.name} has more than 32 bits`);
    return true;
  });
  const { Checksum = 0, Tag = 0, Shard = 0, Compress = 0 } = numbers;
  const message = logsAt === undefined ? Buffer.alloc(RAW_HEADER_BYTES) : copyLogs(value, logsAt);
  [Checksum, Tag, Shard, Compress].forEach((number, index) => message.writeUInt32BE(number, index * 4));
  return message;
}

/** Calls `take` at each field of a struct; fields that it does not take are moved over. */
function eachField(stream: GobStream, { type, cursor }: GobValue, take: (field: GobField) => boolean): void {
  const fields = stream.types.fieldsOf(type);
  for (let i = cursor.nextField(-1); i !== undefined; i = cursor.nextField(i)) {
    if (i >= fields.length) throw new GobError('a struct has more fields than its type');
    if (!take(fields[i])) stream.types.skip(fields[i].type, cursor);
  }
}

function is(field: GobField, name: string, type: number): boolean {
  if (field.name !== name) return false;
  if (field.type !== type) throw new GobError(`${name} has another type`);
  return true;
}

function checkLogsType(stream: GobStream, field: GobField): void {
  const type = stream.types.get(field.type);
  if (type?.kind !== 'list' || type.element !== GobTypeId.bytes)
    throw new GobError('RawLogs has another type');
}

/** The logs, each after its length, with room for the header before them. The value has been walked through: lengths are right. */
function copyLogs({ cursor }: GobValue, logsAt: number): Buffer {
  cursor.at = logsAt;
  const count = cursor.uint();
  const firstAt = cursor.at;
  let total = RAW_HEADER_BYTES;
  for (let i = 0; i < count; i++) total += RAW_LENGTH_BYTES + logLength(cursor);
  const message = Buffer.allocUnsafeSlow(total);
  message.writeUInt32BE(count, RAW_HEADER_BYTES - RAW_LENGTH_BYTES);
  cursor.at = firstAt;
  let at = RAW_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const start = cursor.skipBytes();
    at = message.writeUInt32BE(cursor.at - start, at);
    at += cursor.bytes.copy(message, at, start, cursor.at);
  }
  return message;
}

function logLength(cursor: { skipBytes: () => number; at: number }): number {
  const start = cursor.skipBytes();
  return cursor.at - start;
}

function encodeSeq(seq: number): Buffer {
  return seq === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(1), gobUint(seq)]);
}
