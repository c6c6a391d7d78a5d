import type { MessageForm } from '../message-reader.ts';

const BSON_BYTES_MIN = 5;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
/** A raw message has zero bytes in its header, between its tag's bits; a text has none anywhere. */
const RAW_HEADER_BYTES = 20;

/** What the value of a record looks like: a BSON document, a JSON text, or else a raw message. */
export function messageFormOf(value: Buffer): MessageForm {
  const last = value[value.length - 1];
  if (value.length >= BSON_BYTES_MIN && value.readInt32LE(0) === value.length && last === 0) return 'bson';
  const isText = value[0] === BRACE_OPEN && last === BRACE_CLOSE;
  return isText && !value.subarray(0, RAW_HEADER_BYTES).includes(0) ? 'json' : 'raw';
}
