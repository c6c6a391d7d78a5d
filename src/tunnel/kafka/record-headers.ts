import type { EntryHeader } from '../../oplog/entry-header.ts';
import type { ByteWriter } from '../../shared/byte-writer.ts';
import { writeVarint } from './varint.ts';

/** Place in the oplog, as a record says it. */
export interface OplogPlace {
  readonly seconds: number;
  readonly committedIncrement: number;
}

/** Everything but names of namespaces, whose length is not bounded here. */
const HEADERS_BYTES_MAX = 160;
const COLON = 0x3a;
const DIGIT_0 = 0x30;

const POSITION = headerName('oplogue.position');
const INDEX = headerName('oplogue.index');
const OP = headerName('oplogue.op');
const NS = headerName('oplogue.ns');
const COUNT = headerName('oplogue.count');

/**
 * Writes the headers of a record that carries one entry, with their number in front: `oplogue.position`, `oplogue.index`,
 * `oplogue.op` and `oplogue.ns` (docs/message-format.md). Nothing is allocated.
 */
export function writeEntryHeaders(out: ByteWriter, header: EntryHeader): void {
  const { bytes: source, nsStart, nsEnd, opAt } = header;
  out.ensure(HEADERS_BYTES_MAX + nsEnd - nsStart);
  const { bytes } = out;
  let at = writeVarint(bytes, out.length, 4);
  at = writePosition(bytes, at, header);
  at = writeNumber(bytes, writeName(bytes, at, INDEX), header.operationIndex);
  at = writeName(bytes, at, OP);
  if (header.op === 0 && opAt !== 0) {
    at = writeText(bytes, at, source, { start: opAt + 4, end: opAt + 3 + source.readInt32LE(opAt) });
  } else {
    at = writeVarint(bytes, at, 1);
    bytes[at++] = header.op;
  }
  at = writeName(bytes, at, NS);
  at = writeVarint(bytes, at, nsEnd - nsStart);
  for (let i = nsStart; i < nsEnd; i++) bytes[at++] = source[i];
  out.length = at;
}

/** Writes the headers of a raw message: `oplogue.position` of its last entry, and `oplogue.count`. */
export function writeMessageHeaders(out: ByteWriter, last: OplogPlace, count: number): void {
  out.ensure(HEADERS_BYTES_MAX);
  const { bytes } = out;
  let at = writeVarint(bytes, out.length, 2);
  at = writePosition(bytes, at, last);
  out.length = writeNumber(bytes, writeName(bytes, at, COUNT), count);
}

/** A name with its length in front, as a record has it. */
function headerName(name: string): Buffer {
  const bytes = Buffer.alloc(name.length + 1);
  writeVarint(bytes, 0, name.length);
  bytes.write(name, 1, 'latin1');
  return bytes;
}

function writeName(bytes: Buffer, at: number, name: Buffer): number {
  for (let i = 0; i < name.length; i++) bytes[at + i] = name[i];
  return at + name.length;
}

function writeText(bytes: Buffer, at: number, source: Buffer, text: { start: number; end: number }): number {
  const length = Math.min(text.end - text.start, MAX_OP_BYTES);
  const next = writeVarint(bytes, at, length);
  source.copy(bytes, next, text.start, text.start + length);
  return next + length;
}

/** Servers write one or two letters. */
const MAX_OP_BYTES = 16;

/** `seconds:increment` */
function writePosition(bytes: Buffer, at: number, { seconds, committedIncrement }: OplogPlace): number {
  let next = writeName(bytes, at, POSITION);
  next = writeVarint(bytes, next, widthOf(seconds) + 1 + widthOf(committedIncrement));
  next = writeDigits(bytes, next, seconds);
  bytes[next++] = COLON;
  return writeDigits(bytes, next, committedIncrement);
}

function writeNumber(bytes: Buffer, at: number, value: number): number {
  return writeDigits(bytes, writeVarint(bytes, at, widthOf(value)), value);
}

/** Decimal digits of an unsigned 32-bit number. */
function widthOf(value: number): number {
  let width = 1;
  for (let rest = value; rest >= 10; rest = (rest / 10) >>> 0) width++;
  return width;
}

function writeDigits(bytes: Buffer, at: number, value: number): number {
  const end = at + widthOf(value);
  let rest = value;
  for (let i = end - 1; i >= at; i--) {
    const tens = (rest / 10) >>> 0;
    bytes[i] = DIGIT_0 + rest - tens * 10;
    rest = tens;
  }
  return end;
}
