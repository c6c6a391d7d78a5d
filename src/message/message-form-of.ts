/** What a message holds: a batch in MongoShake's frame, or one entry. */
export type MessageForm = 'raw' | 'bson' | 'json';

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const BSON_BYTES_MIN = 5;

/**
 * The form of a message, by its bytes: a BSON document says its own length first and ends with a zero byte, JSON is between
 * braces, and all else is raw. (A raw message begins with a checksum; that it looks like one of the
 * others by chance happens once in four thousand million.)
 */
export function messageFormOf(bytes: Buffer): MessageForm {
  const { length } = bytes;
  if (length >= BSON_BYTES_MIN && bytes.readInt32LE(0) === length && bytes[length - 1] === 0) return 'bson';
  const isText = bytes[0] === OPEN_BRACE && bytes[length - 1] === CLOSE_BRACE;
  // `{}` or `{"`: the second byte of a checksum decides too.
  return isText && (bytes[1] === CLOSE_BRACE || bytes[1] === 0x22) ? 'json' : 'raw';
}
