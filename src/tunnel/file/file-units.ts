import type { MessageForm } from '../../message/message-form-of.ts';
import { RAW_HEADER_BYTES, RAW_LENGTH_BYTES } from '../../message/raw-message.ts';
import { FileTunnelError } from './file-tunnel-error.ts';
import { BLOCK_HEADER_BYTES, BLOCK_MAGIC, FILE_HEADER_BYTES, FILE_MAGIC } from './raw-file-format.ts';

/** One message of a file. */
export interface FileUnit {
  readonly bytes: Buffer;
  readonly shard: number;
  readonly tag: number;
  /** Offset after it, from the start of the bytes that were given. */
  readonly end: number;
}

/** The whole messages at the front of some bytes of a file. */
export interface FileUnits {
  readonly units: readonly FileUnit[];
  /** Bytes that they take, with what lies between them. */
  readonly consumed: number;
  /** How many bytes from `consumed` on the next one needs at least. */
  readonly needed: number;
}

/** Above any block that a collector writes. */
const UNIT_BYTES_MAX = 256 * 1024 * 1024;
const LINE_FEED = 0x0a;
const OPEN_BRACE = 0x7b;

/** The form of a part by its first bytes; undefined when there are too few. */
export function formOfFile(start: Buffer): MessageForm | undefined {
  if (start.length < FILE_MAGIC.length) return undefined;
  if (start.subarray(0, FILE_MAGIC.length).equals(FILE_MAGIC)) return 'raw';
  return start[0] === OPEN_BRACE ? 'json' : 'bson';
}

/**
 * Finds the messages in bytes that begin where a message (or a part of the file) begins. Views; the header of a raw block is made
 * into that of a raw message in place.
 * @throws FileTunnelError when no message can begin there
 */
export function splitFile(form: MessageForm, bytes: Buffer, atStart: boolean): FileUnits {
  if (form === 'raw') return splitBlocks(bytes, atStart);
  return form === 'json' ? splitLines(bytes) : splitDocuments(bytes);
}

function splitBlocks(bytes: Buffer, atStart: boolean): FileUnits {
  const units: FileUnit[] = [];
  let at = atStart ? FILE_HEADER_BYTES : 0;
  if (atStart && bytes.length < at) return { units, consumed: 0, needed: FILE_HEADER_BYTES };
  while (at + BLOCK_HEADER_BYTES <= bytes.length) {
    if (bytes.readUInt32BE(at + 16) !== BLOCK_MAGIC) throw noUnit('block', at);
    const length = bytes.readUInt32BE(at + 20);
    const end = at + BLOCK_HEADER_BYTES + length;
    if (length > UNIT_BYTES_MAX) throw noUnit('block', at);
    if (end > bytes.length) return { units, consumed: at, needed: BLOCK_HEADER_BYTES + length };
    units.push(messageOfBlock(bytes, at, end));
    at = end;
  }
  return { units, consumed: at, needed: BLOCK_HEADER_BYTES };
}

/** A block says how long its body is where a message says how many logs it has. */
function messageOfBlock(bytes: Buffer, at: number, end: number): FileUnit {
  const tag = bytes.readUInt32BE(at + 4);
  const shard = bytes.readUInt32BE(at + 8);
  const start = at + BLOCK_HEADER_BYTES - RAW_HEADER_BYTES;
  bytes.copyWithin(start, at, at + 16);
  bytes.writeUInt32BE(countLogs(bytes, at + BLOCK_HEADER_BYTES, end), start + 16);
  return { bytes: bytes.subarray(start, end), shard, tag, end };
}

/** One more than there are when the last is cut off, so that the message is seen to be incomplete. */
function countLogs(bytes: Buffer, from: number, end: number): number {
  let count = 0;
  let at = from;
  while (at < end) {
    count++;
    if (at + RAW_LENGTH_BYTES > end) break;
    at += RAW_LENGTH_BYTES + bytes.readUInt32BE(at);
  }
  return count;
}

function splitLines(bytes: Buffer): FileUnits {
  const units: FileUnit[] = [];
  let at = 0;
  for (let end = bytes.indexOf(LINE_FEED, at); end >= 0; end = bytes.indexOf(LINE_FEED, at)) {
    if (end > at) units.push({ bytes: bytes.subarray(at, end), shard: 0, tag: 0, end: end + 1 });
    at = end + 1;
  }
  return { units, consumed: at, needed: bytes.length - at + 1 };
}

function splitDocuments(bytes: Buffer): FileUnits {
  const units: FileUnit[] = [];
  let at = 0;
  while (at + 5 <= bytes.length) {
    const length = bytes.readInt32LE(at);
    if (length < 5 || length > UNIT_BYTES_MAX) throw noUnit('document', at);
    const end = at + length;
    if (end > bytes.length) return { units, consumed: at, needed: length };
    units.push({ bytes: bytes.subarray(at, end), shard: 0, tag: 0, end });
    at = end;
  }
  return { units, consumed: at, needed: 5 };
}

function noUnit(what: string, at: number): FileTunnelError {
  return new FileTunnelError({
    message: `No ${what} begins ${at} bytes after the last one`,
    hint: 'the file is damaged, or not one that a collector wrote: check tunnel.address and tunnel.message',
  });
}
