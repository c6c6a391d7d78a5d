import { canonicalJson, relaxedJson } from '../bson/extended-json.ts';
import { KeyValueJson } from '../bson/key-value-json.ts';
import { PlainJson } from '../bson/plain-json.ts';
import { AssertionError } from '../shared/errors.ts';
import { BsonEntryEncoder } from './bson-entry-encoder.ts';
import type { EntryEncoder } from './entry-encoder.ts';
import { JsonEntryEncoder } from './json-entry-encoder.ts';

/** `tunnel.json.format`: empty is MongoShake's default text. */
export type JsonFormat = '' | 'canonical_extended_json' | 'relaxed_extended_json' | 'plain';

export interface EntryEncoderOptions {
  readonly message: 'bson' | 'json';
  readonly jsonFormat: JsonFormat;
  /** Zone of the dates in the default text, a name of the IANA database; by default that of the process. */
  readonly timeZone?: string;
}

/** The encoder for `tunnel.message` and `tunnel.json.format`. */
export function createEntryEncoder(options: EntryEncoderOptions): EntryEncoder {
  if (options.message === 'bson') return new BsonEntryEncoder();
  switch (options.jsonFormat) {
    case 'canonical_extended_json':
      return new JsonEntryEncoder(canonicalJson);
    case 'relaxed_extended_json':
      return new JsonEntryEncoder(relaxedJson);
    case 'plain':
      return new JsonEntryEncoder(new PlainJson());
    case '':
      return defaultTextEncoder(options.timeZone);
    default:
      throw new AssertionError(`no encoder for JSON format ${String(options.jsonFormat)}`);
  }
}

function defaultTextEncoder(timeZone: string | undefined): EntryEncoder {
  const mapsAs = new KeyValueJson({ timeZone, documentsAreMaps: true });
  return new JsonEntryEncoder(new KeyValueJson({ timeZone }), { mapsAs });
}
