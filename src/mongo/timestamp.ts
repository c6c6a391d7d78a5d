import { Timestamp } from 'mongodb';
import type { Position } from '../oplog/position.ts';

/** A position as the BSON Timestamp that queries compare with. */
export function timestampOf(position: Position): Timestamp {
  return new Timestamp(position);
}

/** The position of a decoded BSON Timestamp; undefined for any other value. */
export function positionOfTimestamp(value: unknown): Position | undefined {
  return value instanceof Timestamp ? BigInt.asUintN(64, value.toBigInt()) : undefined;
}
