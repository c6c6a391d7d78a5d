import { RAW_HEADER_BYTES, RAW_LENGTH_BYTES } from './raw-message.ts';

/**
 * Whether a raw message ends before its last log. MongoShake's collector writes each batch to Kafka as growing prefixes of it:
 * record k of N holds the header, which says N logs, and logs 1 to k; only the last is whole. Looks at lengths only.
 */
export function isIncompleteRawMessage(bytes: Buffer): boolean {
  if (bytes.length < RAW_HEADER_BYTES) return false;
  const logs = bytes.readUInt32BE(16);
  let at = RAW_HEADER_BYTES;
  for (let log = 0; log < logs; log++) {
    if (at + RAW_LENGTH_BYTES > bytes.length) return true;
    at += RAW_LENGTH_BYTES + bytes.readUInt32BE(at);
    if (at > bytes.length) return true;
  }
  return false;
}
