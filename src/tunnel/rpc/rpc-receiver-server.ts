import { RawTag, ReplyCode } from '../../message/raw-message.ts';
import { must } from '../../shared/assert.ts';
import type { MessageHandler, MessageReader, ReaderTraffic } from '../message-reader.ts';
import type { MessageWay } from '../message-way.ts';
import { PartialBytes } from '../socket/partial-bytes.ts';
import type { ReceivedBefore } from '../socket/received-before.ts';
import { RECEIVER_LIMITS, type ReceiverServerOptions } from '../socket/receiver-server-options.ts';
import { SHARD_MAX } from '../socket/shard-max.ts';
import { SocketServer, type ServerConnection } from '../socket/socket-server.ts';
import { GobStream, type GobValue } from './gob-stream.ts';
import { readMessage, readRequest, RpcAnswers, TRANSFER_METHOD } from './rpc-wire.ts';

const TAG_AT = 4;
const SHARD_AT = 8;
const COUNT_AT = 16;

/**
 * The receiving end of the rpc tunnel: Go's net/rpc with the one method that MongoShake has. Calls of one connection are
 * answered in their order, one at a time.
 */
export class RpcReceiverServer implements MessageReader {
  readonly failed: AbortSignal;
  readonly #server: SocketServer;
  readonly #messageBytesMax: number;
  readonly #partialBytes: PartialBytes;
  readonly #receivedBefore: ReceivedBefore | undefined;
  /** Senders' shards that have sent everything again, or had nothing to. */
  readonly #complete = new Set<string>();
  #handler: MessageHandler | undefined;
  #bytes = 0;
  #count = 0;

  constructor(options: ReceiverServerOptions) {
    const all = { ...RECEIVER_LIMITS, ...options };
    this.#messageBytesMax = all.messageBytesMax;
    this.#partialBytes = new PartialBytes(all.partialBytesMax);
    this.#receivedBefore = options.receivedBefore;
    this.#server = new SocketServer({ ...all, serve: (connection) => this.#serve(connection) });
    this.failed = this.#server.failed;
  }

  get trouble(): string | undefined {
    return undefined;
  }

  get traffic(): ReaderTraffic {
    const { refused, connections } = this.#server;
    return { bytes: this.#bytes, messages: this.#count, refused, connections };
  }

  /** @throws SocketTunnelError when the port cannot be had */
  async open(handler: MessageHandler, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    this.#handler = handler;
    await this.#server.listen();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server[Symbol.asyncDispose]();
  }

  async #serve({ socket, from, expectWord, way }: ServerConnection): Promise<void> {
    const stream = new GobStream(this.#messageBytesMax);
    const answers = new RpcAnswers();
    const partial = this.#partialBytes.newShare();
    let call: { method: string; seq: number } | undefined;
    try {
      for await (const chunk of socket) {
        way.got(chunk.length);
        stream.queue.push(chunk);
        for (let value = stream.next(); value !== undefined; value = stream.next()) {
          if (call === undefined) {
            call = readRequest(stream, value);
            continue;
          }
          expectWord(false);
          socket.write(
            answers.encode(call, await this.#answer({ method: call.method, from, way }, stream, value)),
          );
          // Answers that nobody takes must not pile up.
          if (socket.writableNeedDrain) throw new Error('answers are not read');
          call = undefined;
        }
        expectWord(call !== undefined || stream.isWithinMessage);
        partial.set(stream.queue.length);
        way.waits();
      }
    } finally {
      partial.set(0);
    }
  }

  /** @returns the reply, or the error of net/rpc */
  async #answer(
    { method, from, way }: { method: string; from: string; way: MessageWay },
    stream: GobStream,
    value: GobValue,
  ): Promise<bigint | { error: string }> {
    if (method !== TRANSFER_METHOD) return { error: `rpc: can't find method ${method}` };
    const bytes = readMessage(stream, value);
    const shard = bytes.readUInt32BE(SHARD_AT);
    if (shard > SHARD_MAX) throw new Error(`there is no shard ${shard}`);
    this.#bytes += bytes.length;
    this.#count++;
    const handler = must(this.#handler, 'a connection came before the receiver was open');
    const tag = bytes.readUInt32BE(TAG_AT);
    if (this.#mayMissSome(`${way.sender} ${shard}`, { tag, logs: bytes.readUInt32BE(COUNT_AT) })) {
      return BigInt(ReplyCode.retransmission);
    }
    return handler.handle({ shard, tag, form: 'raw', bytes, from, way });
  }

  /**
   * Whether entries before this message may have died with a receiver before this one. A MongoShake collector goes on behind them, and forgets
   * them at the next ack, unless it is told to send again what is not acknowledged.
   */
  #mayMissSome(sender: string, { tag, logs }: { tag: number; logs: number }): boolean {
    if ((tag & RawTag.retransmission) !== 0) this.#complete.add(sender);
    if (logs === 0) return false;
    this.#receivedBefore?.note();
    return this.#receivedBefore?.atStart === true && !this.#complete.has(sender);
  }
}
