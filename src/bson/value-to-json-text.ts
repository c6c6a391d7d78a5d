import { ByteWriter } from '../shared/byte-writer.ts';
import { relaxedJson } from './extended-json.ts';
import { FIXED_VALUE_ROOM } from './write-json-string.ts';

const INITIAL_BYTES = 1024;

/**
 * The value of `type` at `at` as relaxed Extended JSON, for messages and people. Allocates.
 * @throws MalformedBsonError
 */
export function valueToJsonText(bytes: Uint8Array, type: number, at: number): string {
  const out = new ByteWriter(INITIAL_BYTES);
  out.ensure(FIXED_VALUE_ROOM);
  relaxedJson.writeValue(out, bytes, type, at, bytes.length, 0);
  return out.view().toString('utf8');
}
