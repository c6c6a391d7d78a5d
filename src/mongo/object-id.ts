import { ObjectId } from 'mongodb';

/** An ObjectId by its 24 hex digits, for rooms that do not know the driver. */
export function objectIdOf(hex: string): ObjectId {
  return ObjectId.createFromHexString(hex);
}
