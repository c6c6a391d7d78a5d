import type { Socket } from 'node:net';
import { RAW_HEADER_BYTES } from '../../message/raw-message.ts';
import { must } from '../../shared/assert.ts';
import type { MessageHandler, MessageReader, ReaderTraffic } from '../message-reader.ts';
import { ByteQueue } from '../socket/byte-queue.ts';
import { PartialBytes } from '../socket/partial-bytes.ts';
import type { ReceivedBefore } from '../socket/received-before.ts';
import { RECEIVER_LIMITS, type ReceiverServerOptions } from '../socket/receiver-server-options.ts';
import { SHARD_MAX } from '../socket/shard-max.ts';
import { SocketServer, type ServerConnection } from '../socket/socket-server.ts';
import { PacketType, returnAckPacket, takePacketHeader, type PacketHeader } from './packet.ts';
import { ShardAcks } from './shard-acks.ts';

const TAG_AT = 4;
const SHARD_AT = 8;
const COUNT_AT = 16;

/**
 * The receiving end of the tcp tunnel: messages at the port of the address, acks at the next one. Takes the place of MongoShake's,
 * except that an ack never covers what another shard has left to do ({@link ShardAcks}), and that collectors of our
 * own may ask on the transfer connection, where each is answered for its own shard; the first ack that it is sent
 * there unasked invites to that. A MongoShake collector never reads there.
 */
export class TcpReceiverServer implements MessageReader {
  readonly failed: AbortSignal;
  readonly #messages: SocketServer;
  readonly #acks: SocketServer;
  readonly #messageBytesMax: number;
  readonly #partialBytes: PartialBytes;
  readonly #receivedBefore: ReceivedBefore | undefined;
  /** By address of the host, while it has a connection. */
  readonly #hosts = new Map<string, { readonly acks: ShardAcks; connections: number }>();
  #handler: MessageHandler | undefined;
  #bytes = 0;
  #count = 0;

  constructor(options: ReceiverServerOptions) {
    const { address } = options;
    const all = { ...RECEIVER_LIMITS, ...options };
    this.#messageBytesMax = all.messageBytesMax;
    this.#partialBytes = new PartialBytes(all.partialBytesMax);
    this.#receivedBefore = options.receivedBefore;
    this.#messages = new SocketServer({
      ...all,
      serve: (connection) =>
        this.#withAcks(connection.socket, (acks) => this.#serveMessages(connection, acks)),
    });
    this.#acks = new SocketServer({
      ...all,
      address: { host: address.host, port: address.port + 1 },
      serve: (connection) => this.#withAcks(connection.socket, (acks) => this.#serveAcks(connection, acks)),
    });
    this.failed = AbortSignal.any([this.#messages.failed, this.#acks.failed]);
  }

  get trouble(): string | undefined {
    return undefined;
  }

  get traffic(): ReaderTraffic {
    return {
      bytes: this.#bytes,
      messages: this.#count,
      refused: this.#messages.refused + this.#acks.refused,
      connections: this.#messages.connections + this.#acks.connections,
    };
  }

  /** @throws SocketTunnelError when one of the ports cannot be had */
  async open(handler: MessageHandler, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#handler = handler;
    await this.#messages.listen();
    await this.#acks.listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messages[Symbol.asyncDispose]();
    await this.#acks[Symbol.asyncDispose]();
  }

  async #serveMessages(connection: ServerConnection, acks: ShardAcks): Promise<void> {
    const shards = new Set<number>();
    try {
      await this.#takeMessages(connection, acks, shards);
    } finally {
      for (const shard of shards) acks.closed(shard);
    }
  }

  async #takeMessages(
    { socket, from, expectWord, way }: ServerConnection,
    acks: ShardAcks,
    shards: Set<number>,
  ): Promise<void> {
    const handler = must(this.#handler, 'a connection came before the receiver was open');
    let shard: number | undefined;
    let refusal = 0n;
    for await (const { type, payload } of this.#readPackets({ socket, expectWord, way })) {
      if (type === PacketType.write) {
        if (payload.length < RAW_HEADER_BYTES) throw new Error('a message is shorter than its header');
        const isFirst = shard === undefined;
        shard = payload.readUInt32BE(SHARD_AT);
        if (shard > SHARD_MAX) throw new Error(`there is no shard ${shard}`);
        shards.add(shard);
        const tag = payload.readUInt32BE(TAG_AT);
        const logs = payload.readUInt32BE(COUNT_AT);
        acks.heard(shard, { tag, logs });
        if (logs > 0) this.#receivedBefore?.note();
        const reply = await handler.handle({
          shard,
          tag,
          form: 'raw',
          bytes: payload,
          from,
          way,
        });
        acks.answered(shard, reply);
        refusal = reply < 0n ? reply : 0n;
        if (isFirst) socket.write(returnAckPacket(reply));
      } else if (type === PacketType.getAck && shard !== undefined) {
        acks.trusts(shard);
        socket.write(returnAckPacket(refusal < 0n ? refusal : handler.ackOf(shard, way.sender)));
      }
      // Answers that nobody takes must not pile up.
      if (socket.writableNeedDrain) throw new Error('answers are not read');
    }
  }

  async #serveAcks({ socket, expectWord }: ServerConnection, acks: ShardAcks): Promise<void> {
    const handler = must(this.#handler, 'a connection came before the receiver was open');
    const queue = new ByteQueue();
    const asker = { told: 0 };
    for await (const chunk of socket) {
      expectWord(false);
      queue.push(chunk);
      for (;;) {
        // As in MongoShake any packet is a question, and what it carries would be the next one.
        const header = takePacketHeader(queue);
        if (header === undefined) break;
        if (header === 'invalid') throw new Error('these bytes are no packet of the tcp tunnel');
        socket.write(returnAckPacket(acks.answer(handler, asker)));
        if (socket.writableNeedDrain) throw new Error('answers are not read');
      }
    }
  }

  async *#readPackets({
    socket,
    expectWord,
    way,
  }: Pick<ServerConnection, 'socket' | 'expectWord' | 'way'>): AsyncGenerator<{
    type: number;
    payload: Buffer;
  }> {
    const queue = new ByteQueue();
    let header: PacketHeader | undefined;
    const partial = this.#partialBytes.newShare();
    try {
      for await (const chunk of socket) {
        way.got(chunk.length);
        queue.push(chunk);
        for (;;) {
          header ??= this.#takeHeader(queue);
          if (header === undefined) break;
          const payload = queue.take(header.length);
          if (payload === undefined) break;
          const { type } = header;
          header = undefined;
          this.#bytes += payload.length;
          if (type === PacketType.write) this.#count++;
          expectWord(false);
          yield { type, payload };
        }
        expectWord(header !== undefined || queue.length > 0);
        partial.set(queue.length);
        way.waits();
      }
    } finally {
      partial.set(0);
    }
  }

  /** @throws Error when the front of the queue is no header, or announces too much */
  #takeHeader(queue: ByteQueue): PacketHeader | undefined {
    const header = takePacketHeader(queue);
    if (header === 'invalid') throw new Error('these bytes are no packet of the tcp tunnel');
    if (header !== undefined && header.length > this.#messageBytesMax) {
      throw new Error(`a message of ${header.length} bytes is above ${this.#messageBytesMax}`);
    }
    return header;
  }

  /** Serves a connection with what is known of its host. */
  async #withAcks(socket: Socket, serve: (acks: ShardAcks) => Promise<void>): Promise<void> {
    const name = socket.remoteAddress ?? '';
    const host = this.#hosts.get(name) ?? {
      acks: new ShardAcks(name, this.#receivedBefore?.atStart),
      connections: 0,
    };
    this.#hosts.set(name, host);
    host.connections++;
    try {
      await serve(host.acks);
    } finally {
      host.connections--;
      if (host.connections === 0) this.#hosts.delete(name);
    }
  }
}
