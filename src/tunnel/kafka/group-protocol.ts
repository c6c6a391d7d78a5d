import { client } from './client.ts';

/** Version of what members tell each other (ConsumerProtocolSubscription.json and ConsumerProtocolAssignment.json of Kafka). */
const VERSION = 0;

/** What a member says that it wants to read. */
export function encodeSubscription(topic: string): Buffer {
  return client.Writer.create()
    .appendInt16(VERSION)
    .appendArray([topic], (writer, name) => writer.appendString(name, false), false, false)
    .appendInt32(0).buffer;
}

/** What the leader gives a member. */
export function encodeAssignment(topic: string, partitions: readonly number[]): Buffer {
  const all = [{ topic, partitions: [...partitions] }];
  return client.Writer.create()
    .appendInt16(VERSION)
    .appendArray(
      all,
      (writer, part) => {
        writer.appendString(part.topic, false);
        writer.appendArray(part.partitions, (w, partition) => w.appendInt32(partition), false, false);
      },
      false,
      false,
    )
    .appendInt32(0).buffer;
}

/** The partitions of a topic that a member was given. */
export function decodeAssignment(bytes: Buffer, topic: string): number[] {
  const reader = client.Reader.from(bytes);
  if (reader.remaining < 6) return [];
  reader.readInt16();
  const all = reader.readArray(
    (r) => ({ topic: r.readString(false), partitions: r.readArray((p) => p.readInt32(), false, false) }),
    false,
    false,
  );
  return all.filter((part) => part.topic === topic).flatMap(({ partitions }) => partitions);
}

/** The partitions of one of several members: consecutive ones, the first members get one more where they do not divide evenly. */
export function rangeOf(partitions: number, members: number, index: number): number[] {
  const least = Math.floor(partitions / members);
  const more = partitions % members;
  const start = index * least + Math.min(index, more);
  const count = least + (index < more ? 1 : 0);
  return Array.from({ length: count }, (_, i) => start + i);
}
