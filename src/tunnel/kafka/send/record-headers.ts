import type { EntryHeader } from '../../../oplog/entry-header.ts';
import type { ByteWriter } from '../../../shared/byte-writer.ts';
import { writeVarint } from '../client/varint.ts';

/** Place in the oplog, as a record says it. */
export interface OplogPlace {
  readonly seconds: number;
  readonly committedIncrement: number;
}

/** Everything but names of namespaces, whose length is not bounded here. */
const HEADERS_BYTES_MAX = 160;
const COLON = 0x3a;
const DIGIT_0 = 0x30;
/** Servers write one or two letters. */
const OP_BYTES_MAX = 16;

const POSITION = headerName('oplogue.position');
const INDEX = headerName('oplogue.index');
const OP = headerName('oplogue.op');
const NS = headerName('oplogue.ns');
const COUNT = headerName('oplogue.count');

/**
 * Writes the headers of records that carry one entry: `oplogue.position`, `oplogue.index`, `oplogue.op` and `oplogue.ns`
 * (docs/message-format.md).
 *
 * Neighbours in the oplog differ in a few digits, so the headers of an entry are kept as a form for the next ones: as long as
 * second, namespace and lengths stay the same, the form is copied whole and increment and letter are written over. Nothing is
 * allocated but a form now and then.
 */
export class EntryHeadersWriter {
  /** Headers with their number in front, as they were written for the entry that the rest is about. */
  #form: Buffer = Buffer.alloc(0);
  #seconds = -1;
  #operationIndex = 0;
  #incrementAt = 0;
  #incrementWidth = 0;
  #opAt = 0;
  #nsAt = 0;

  /** Appends the headers of the entry, with their number in front. */
  write(out: ByteWriter, header: EntryHeader): void {
    const { nsStart, nsEnd, committedIncrement } = header;
    out.ensure(HEADERS_BYTES_MAX + nsEnd - nsStart);
    const start = out.length;
    if (!this.#fits(header)) {
      this.#writeAnew(out, header);
      return;
    }
    const { bytes } = out;
    bytes.set(this.#form, start);
    writeDigits(bytes, start + this.#incrementAt, { value: committedIncrement, width: this.#incrementWidth });
    bytes[start + this.#opAt] = header.op;
    out.length = start + this.#form.length;
  }

  #fits(header: EntryHeader): boolean {
    const form = this.#form;
    const { bytes, nsStart, nsEnd } = header;
    if (header.seconds !== this.#seconds || header.operationIndex !== this.#operationIndex) return false;
    if (header.op === 0 || widthOf(header.committedIncrement) !== this.#incrementWidth) return false;
    const nsAt = this.#nsAt;
    if (nsEnd - nsStart !== form.length - nsAt) return false;
    for (let i = nsStart, at = nsAt; i < nsEnd; i++, at++) if (bytes[i] !== form[at]) return false;
    return true;
  }

  #writeAnew(out: ByteWriter, header: EntryHeader): void {
    const { bytes } = out;
    const { bytes: source, nsStart, nsEnd, opAt } = header;
    const start = out.length;
    let at = writePosition(bytes, writeVarint(bytes, start, 4), header);
    this.#seconds = header.seconds;
    this.#incrementWidth = widthOf(header.committedIncrement);
    this.#incrementAt = at - this.#incrementWidth - start;
    at = writeNumber(bytes, writeName(bytes, at, INDEX), header.operationIndex);
    this.#operationIndex = header.operationIndex;
    at = writeName(bytes, at, OP);
    if (header.op === 0 && opAt !== 0) {
      at = writeText(bytes, at, source, { start: opAt + 4, end: opAt + 3 + source.readInt32LE(opAt) });
      // Only one letter can be written over.
      this.#seconds = -1;
    } else {
      at = writeVarint(bytes, at, 1);
      this.#opAt = at - start;
      bytes[at++] = header.op;
    }
    at = writeVarint(bytes, writeName(bytes, at, NS), nsEnd - nsStart);
    this.#nsAt = at - start;
    for (let i = nsStart; i < nsEnd; i++) bytes[at++] = source[i];
    out.length = at;
    this.#form = Buffer.from(bytes.subarray(start, at));
  }
}

/** Writes the headers of a raw message: `oplogue.position` of its last entry, and `oplogue.count`. */
export function writeMessageHeaders(out: ByteWriter, last: OplogPlace, count: number): void {
  out.ensure(HEADERS_BYTES_MAX);
  const { bytes } = out;
  const at = writePosition(bytes, writeVarint(bytes, out.length, 2), last);
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
  const length = Math.min(text.end - text.start, OP_BYTES_MAX);
  const next = writeVarint(bytes, at, length);
  source.copy(bytes, next, text.start, text.start + length);
  return next + length;
}

/** `seconds:increment` */
function writePosition(bytes: Buffer, at: number, { seconds, committedIncrement }: OplogPlace): number {
  const secondsWidth = widthOf(seconds);
  const width = widthOf(committedIncrement);
  let next = writeVarint(bytes, writeName(bytes, at, POSITION), secondsWidth + 1 + width);
  next = writeDigits(bytes, next, { value: seconds, width: secondsWidth });
  bytes[next++] = COLON;
  return writeDigits(bytes, next, { value: committedIncrement, width });
}

function writeNumber(bytes: Buffer, at: number, value: number): number {
  const width = widthOf(value);
  return writeDigits(bytes, writeVarint(bytes, at, width), { value, width });
}

/** Decimal digits of an unsigned 32-bit number. */
function widthOf(value: number): number {
  let width = 1;
  for (let bound = 10; value >= bound; bound *= 10) width++;
  return width;
}

/** Writes `value` in `width` decimal digits; returns the offset after them. */
function writeDigits(bytes: Buffer, at: number, { value, width }: { value: number; width: number }): number {
  let rest = value;
  for (let i = at + width - 1; i >= at; i--) {
    const tens = (rest / 10) >>> 0;
    bytes[i] = DIGIT_0 + rest - tens * 10;
    rest = tens;
  }
  return at + width;
}
