/**
 * A place in the oplog: MongoDB's Timestamp as one unsigned 64-bit number, `seconds << 32 | increment`
 * (the value that MongoShake calls LSN). Ordered like the oplog itself.
 */
export type Position = bigint;

export function positionOf(seconds: number, increment: number): Position {
  return (BigInt(seconds) << 32n) | BigInt(increment >>> 0);
}

/** Seconds since 1970. */
export function secondsOf(position: Position): number {
  return Number(position >> 32n);
}

export function incrementOf(position: Position): number {
  return Number(position & 0xffff_ffffn);
}

/** For people: `1582277156:1 (2020-02-21T09:25:56Z)`. */
export function formatPosition(position: Position): string {
  const seconds = secondsOf(position);
  const time = new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
  return `${seconds}:${incrementOf(position)} (${time})`;
}
