import { BSON, EJSON, type Document } from 'bson';
import { OplogEntry } from './oplog-entry.ts';
import { JsonMessageError } from './json-message-error.ts';

/**
 * The entry of a json message, of any `tunnel.json.format`. Canonical Extended JSON gives back every type; the other texts
 * give what they still say: MongoShake's default text and plain JSON have no ObjectIds, dates or kinds of numbers.
 * @throws JsonMessageError when the text is no entry
 */
export function parseJsonEntry(text: Buffer): OplogEntry {
  let entry: unknown;
  try {
    entry = EJSON.parse(text.toString(), { relaxed: false });
    if (!isObject(entry)) throw new Error('it is no object');
    return new OplogEntry(Buffer.from(BSON.serialize(isExtended(entry) ? entry : fromOtherText(entry))));
  } catch (cause) {
    throw new JsonMessageError(text.length, cause);
  }
}

function isExtended({ ts }: Document): boolean {
  return ts instanceof BSON.Timestamp;
}

function fromOtherText(entry: Document): Document {
  const isDefault = isObject(entry['ts']) && 'T' in entry['ts'];
  const converted: Document = {};
  for (const [name, value] of Object.entries(entry)) {
    if (name === 'ts') converted[name] = timestampOf(value);
    else converted[name] = isDefault ? fromKeyValues(value) : value;
  }
  return converted;
}

function timestampOf(value: unknown): unknown {
  if (!isObject(value)) return value;
  const t = numberOf(value['T'] ?? value['t']);
  const i = numberOf(value['I'] ?? value['i']);
  return new BSON.Timestamp({ t, i });
}

function numberOf(value: unknown): number {
  return value === undefined ? 0 : Number(value);
}

/** `[{"Key":k,"Value":v},…]` is a document in MongoShake's default text; an empty array may be either, and stays one. */
function fromKeyValues(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items: unknown[] = value;
    if (items.length === 0 || !items.every(isKeyValue)) return items.map(fromKeyValues);
    return Object.fromEntries(items.map(({ Key, Value }) => [Key, fromKeyValues(Value)]));
  }
  if (!isObject(value)) return value;
  if (typeof value['Data'] === 'string' && 'Subtype' in value) {
    return new BSON.Binary(Buffer.from(value['Data'], 'base64'), numberOf(value['Subtype']));
  }
  return value;
}

function isKeyValue(item: unknown): item is { Key: string; Value: unknown } {
  return isObject(item) && typeof item['Key'] === 'string' && 'Value' in item;
}

function isObject(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
