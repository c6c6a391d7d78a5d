import { scanEntryHeader, EntryHeader } from '../oplog/entry-header.ts';
import type { Position } from '../oplog/position.ts';
import { BsonType } from '../bson/bson-type.ts';
import { readInt32 } from '../bson/read-value.ts';

/** What a batch holds, found by stepping over its entries without reading them. */
export interface BatchExtent {
  readonly count: number;
  readonly first: Position;
  readonly last: Position;
  /** Byte after the first entry. */
  readonly firstEnd: number;
  /** Byte offset of the first entry. */
  readonly firstAt: number;
}

/** Bytes of an array's length word, which comes before its first element. */
const LENGTH_BYTES = 4;

const header = new EntryHeader();

/** Measures the BSON array of entries at `arrayAt`. @returns undefined when it is empty. */
export function extentOf(bytes: Buffer, arrayAt: number): BatchExtent | undefined {
  let count = 0;
  let firstAt = 0;
  let lastAt = 0;
  let at = arrayAt + LENGTH_BYTES;
  while (bytes[at] !== BsonType.endOfDocument) {
    // The element's name is its index in digits.
    do at++;
    while (bytes[at] !== 0);
    at++;
    if (count === 0) firstAt = at;
    count++;
    lastAt = at;
    at += readInt32(bytes, at);
  }
  if (count === 0) return undefined;
  const firstEnd = scanEntryHeader(header, bytes, firstAt);
  const first = header.position;
  scanEntryHeader(header, bytes, lastAt);
  return { count, first, last: header.position, firstAt, firstEnd };
}

/**
 * Drops the first entry: the array then begins so that its length word overwrites the dropped entry's last bytes.
 * @returns the new offset of the array.
 */
export function dropFirst(bytes: Buffer, arrayAt: number, firstEnd: number): number {
  const arrayEnd = arrayAt + readInt32(bytes, arrayAt);
  const newArrayAt = firstEnd - LENGTH_BYTES;
  bytes.writeInt32LE(arrayEnd - newArrayAt, newArrayAt);
  return newArrayAt;
}

/** Whether the entry at `at` is a command (transactions are commands). */
export function isCommandEntry(bytes: Buffer, at: number): boolean {
  scanEntryHeader(header, bytes, at);
  return header.op === COMMAND;
}

const COMMAND = 'c'.charCodeAt(0);

/** The positions of all entries of a batch. */
export function positionsIn(bytes: Buffer, arrayAt: number): Position[] {
  const positions: Position[] = [];
  let at = arrayAt + LENGTH_BYTES;
  while (bytes[at] !== BsonType.endOfDocument) {
    do at++;
    while (bytes[at] !== 0);
    at = scanEntryHeader(header, bytes, at + 1);
    positions.push(header.position);
  }
  return positions;
}
