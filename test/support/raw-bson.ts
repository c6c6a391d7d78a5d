import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { deserialize, serialize, type Document } from 'bson';

/** BSON by hand, for documents that the driver's own encoder would refuse or smooth out. */
export interface RawElement {
  readonly type: number;
  /** As bytes, so that it may be empty, repeated, or no UTF-8. */
  readonly name: string | Buffer;
  readonly value: Buffer;
}

export function rawDocument(elements: readonly RawElement[]): Buffer {
  const body = elements.flatMap(({ type, name, value }) => [
    Buffer.from([type]),
    Buffer.from(name),
    Buffer.alloc(1),
    value,
  ]);
  const bytes = Buffer.concat([Buffer.alloc(4), ...body, Buffer.alloc(1)]);
  bytes.writeInt32LE(bytes.length);
  return bytes;
}

/** The elements of an ordinary object, to be mixed with raw ones. */
export function elementsOf(fields: Document): RawElement[] {
  return Object.entries(fields).map(([name, value]) => {
    const bytes = Buffer.from(serialize({ [name]: value }, { ignoreUndefined: false }));
    const valueAt = 5 + Buffer.byteLength(name) + 1;
    return { type: bytes[4], name, value: bytes.subarray(valueAt, -1) };
  });
}

export function rawInt64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** A BSON string of any bytes. */
export function rawText(text: string | Buffer): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(4);
  length.writeInt32LE(bytes.length + 1);
  return Buffer.concat([length, bytes, Buffer.alloc(1)]);
}

const opMsg = 2013;
/** flagBits and the kind of the first section, after the header of 16 bytes. */
const replyBodyAt = 16 + 4 + 1;

/**
 * Inserts documents as the bytes that they are, over a connection of its own, majority-acknowledged.
 * @param options.host `host:port` of the primary
 * @throws Error with the server's answer when it does not take all of them.
 */
export async function insertRaw(options: {
  host: string;
  database: string;
  collection: string;
  documents: readonly Buffer[];
}): Promise<void> {
  const { host, database, collection, documents } = options;
  const command = serialize({ insert: collection, writeConcern: { w: 'majority' }, $db: database });
  const sequence = Buffer.concat([Buffer.alloc(4), Buffer.from('documents\0'), ...documents]);
  sequence.writeInt32LE(sequence.length);
  const message = Buffer.concat([Buffer.alloc(20), Buffer.alloc(1), command, Buffer.from([1]), sequence]);
  message.writeInt32LE(message.length, 0);
  message.writeInt32LE(1, 4);
  message.writeInt32LE(opMsg, 12);
  const colon = host.lastIndexOf(':');
  const socket = connect(Number(host.slice(colon + 1)), host.slice(0, colon));
  try {
    await once(socket, 'connect');
    socket.write(message);
    const answer = deserialize((await readMessage(socket)).subarray(replyBodyAt));
    if (answer['ok'] !== 1 || answer['n'] !== documents.length) throw new Error(JSON.stringify(answer));
  } finally {
    socket.destroy();
  }
}

async function readMessage(socket: Socket): Promise<Buffer> {
  let got = Buffer.alloc(0);
  for await (const chunk of socket) {
    if (Buffer.isBuffer(chunk)) got = Buffer.concat([got, chunk]);
    if (got.length >= 4 && got.length >= got.readInt32LE(0)) return got;
  }
  throw new Error('the server closed the connection');
}
