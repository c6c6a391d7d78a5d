/** What a message holds: a batch in MongoShake's frame, or one entry. */
export type MessageForm = 'raw' | 'bson' | 'json';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BSON_BYTES_MIN = 5;
/** A raw message has zero bytes in its header, between the bits of its tag; a text has none anywhere. */
const RAW_HEADER_BYTES = 20;

/** The form of a message, by its bytes: a BSON document, JSON text, or else a raw message. */
export function messageFormOf(bytes: Buffer): MessageForm {
  const last = bytes[bytes.length - 1];
  if (bytes.length >= BSON_BYTES_MIN && bytes.readInt32LE(0) === bytes.length && last === 0) return 'bson';
  const isText = bytes[0] === OPEN_BRACE && last === CLOSE_BRACE;
  return isText && !bytes.subarray(0, RAW_HEADER_BYTES).includes(0) ? 'json' : 'raw';
}
