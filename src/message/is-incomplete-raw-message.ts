import { RAW_HEADER_BYTES, RAW_LENGTH_BYTES } from './raw-message.ts';

/**
 * Whether the bytes end before all logs are complete that the header of a raw message claims. Only lengths are
 * looked at: a MongoShake collector sends growing prefixes of every batch to Kafka before the whole one, under the
 * whole one's header, so that a prefix has no checksum of its own. Bytes without a whole header are not a message at all, and not incomplete.
 */
export function isIncompleteRawMessage(bytes: Buffer): boolean {
  if (bytes.length < RAW_HEADER_BYTES) return false;
  let at = RAW_HEADER_BYTES;
  for (let left = bytes.readUInt32BE(RAW_HEADER_BYTES - 4); left > 0; left--) {
    if (at + RAW_LENGTH_BYTES > bytes.length) return true;
    at += RAW_LENGTH_BYTES + bytes.readUInt32BE(at);
    if (at > bytes.length) return true;
  }
  return false;
}
