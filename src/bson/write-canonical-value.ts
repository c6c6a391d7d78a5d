import type { ByteWriter } from '../shared/byte-writer.ts';
import { canonicalJson } from './extended-json.ts';
import { FIXED_VALUE_ROOM } from './write-json-string.ts';

/**
 * Appends the value of `type` at `valueAt` as canonical Extended JSON, for instance `{"$oid":"…"}`.
 * @returns the offset after the value.
 * @throws MalformedBsonError
 */
export function writeCanonicalValue(
  bytes: Uint8Array,
  type: number,
  valueAt: number,
  out: ByteWriter,
): number {
  out.ensure(FIXED_VALUE_ROOM);
  return canonicalJson.writeValue(out, bytes, type, valueAt, bytes.length, 0);
}
