/** A member of a consumer group, with what it said about itself when it joined. */
export interface GroupMember {
  readonly memberId: string;
  readonly metadata: Buffer | null;
}

/** Versions that every consumer reads (Kafka's ConsumerProtocol). */
const SUBSCRIPTION_VERSION = 0;
const ASSIGNMENT_VERSION = 0;
const NO_USER_DATA = -1;

/** What a member that wants one topic says when it joins: a Subscription of Kafka's consumer protocol. */
export function encodeSubscription(topic: string): Buffer {
  const name = Buffer.from(topic);
  const bytes = Buffer.alloc(2 + 4 + 2 + name.length + 4);
  let at = bytes.writeInt16BE(SUBSCRIPTION_VERSION, 0);
  at = bytes.writeInt32BE(1, at);
  at = bytes.writeInt16BE(name.length, at);
  at += name.copy(bytes, at);
  bytes.writeInt32BE(NO_USER_DATA, at);
  return bytes;
}

/** Partitions of a topic for one member: an Assignment of Kafka's consumer protocol. */
export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  const name = Buffer.from(topic);
  const bytes = Buffer.alloc(2 + 4 + 2 + name.length + 4 + 4 * partitions.length + 4);
  let at = bytes.writeInt16BE(ASSIGNMENT_VERSION, 0);
  at = bytes.writeInt32BE(1, at);
  at = bytes.writeInt16BE(name.length, at);
  at += name.copy(bytes, at);
  at = bytes.writeInt32BE(partitions.length, at);
  for (const partition of partitions) at = bytes.writeInt32BE(partition, at);
  bytes.writeInt32BE(NO_USER_DATA, at);
  return bytes;
}

/** The partitions of a topic in an Assignment; none in an empty one. @throws RangeError when it is damaged */
export function decodeAssignment(bytes: Buffer, topic: string): number[] {
  const partitions: number[] = [];
  if (bytes.length === 0) return partitions;
  const cursor = new Cursor(bytes);
  for (let topics = cursor.int32(); topics > 0; topics--) {
    const name = cursor.string();
    for (let count = cursor.int32(); count > 0; count--) {
      const partition = cursor.int32();
      if (name === topic) partitions.push(partition);
    }
  }
  return partitions;
}

/**
 * Shares the partitions of a topic as Kafka's range assignor does: members in the order of their ids get stretches of the same length, the
 * first ones one more.
 */
export function assignRange(
  topic: string,
  partitionCount: number,
  members: readonly GroupMember[],
): Array<{ memberId: string; assignment: Buffer }> {
  const wanting = members
    .filter(({ metadata }) => metadata !== null && topicsOf(metadata).includes(topic))
    .map(({ memberId }) => memberId)
    .toSorted();
  let start = 0;
  return wanting.map((memberId, index) => {
    const end = start + Math.ceil((partitionCount - start) / (wanting.length - index));
    const partitions = Array.from({ length: end - start }, (_, i) => start + i);
    start = end;
    return { memberId, assignment: encodeAssignment(topic, partitions) };
  });
}

function topicsOf(subscription: Buffer): string[] {
  const cursor = new Cursor(subscription);
  return Array.from({ length: cursor.int32() }, () => cursor.string());
}

/** Reads what follows the version. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 2;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at);
    this.#at += 4;
    return value;
  }

  string(): string {
    const start = this.#at + 2;
    this.#at = start + this.#bytes.readInt16BE(this.#at);
    return this.#bytes.toString('utf8', start, this.#at);
  }
}
