import { BsonType } from '../bson/bson-type.ts';
import { readUint32 } from '../bson/read-value.ts';
import type { EntryHeader } from './entry-header.ts';
import { findField, typeOfField } from './find-field.ts';
import { positionOf, type Position } from './position.ts';

/**
 * The position that `prevOpTime` names: the entry before this one in its transaction (or session).
 * @returns undefined when the field is absent or null (`{ts: Timestamp(0, 0), t: -1}`): nothing precedes.
 */
export function previousPosition(header: EntryHeader): Position | undefined {
  const { bytes, prevOpTimeAt } = header;
  if (prevOpTimeAt === 0 || header.prevOpTimeType !== BsonType.document) return undefined;
  const tsAt = findField(bytes, prevOpTimeAt, 'ts');
  if (tsAt === 0 || typeOfField(bytes, tsAt, 'ts') !== BsonType.timestamp) return undefined;
  const position = positionOf(readUint32(bytes, tsAt + 4), readUint32(bytes, tsAt));
  return position === 0n ? undefined : position;
}
