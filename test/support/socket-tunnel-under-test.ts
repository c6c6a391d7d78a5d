import { positionOf } from '../../src/oplog/position.ts';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import { RawMessageError } from '../../src/message/raw-message-error.ts';
import { ReplyCode, RawTag } from '../../src/message/raw-message.ts';
import { silentLogger, type Logger } from '../../src/shared/logger.ts';
import type { IncomingMessage, MessageHandler, MessageReader } from '../../src/tunnel/message-reader.ts';
import type { ReceiverServerOptions } from '../../src/tunnel/socket/receiver-server-options.ts';
import type { ReceiverTunnelOptions } from '../../src/tunnel/socket/receiver-tunnel-options.ts';
import { createRpcTunnel } from '../../src/tunnel/rpc/rpc-tunnel.ts';
import { RpcReceiverServer } from '../../src/tunnel/rpc/rpc-receiver-server.ts';
import { createTcpTunnel } from '../../src/tunnel/tcp/tcp-tunnel.ts';
import { TcpReceiverServer } from '../../src/tunnel/tcp/tcp-receiver-server.ts';
import type { Tunnel } from '../../src/tunnel/tunnel.ts';
import { canListen, freePort } from '../../testbed/free-port.ts';
import { headerOf } from './oplog-entry.ts';
import type { MakeTunnel } from './tunnel-conformance.ts';

export type SocketKind = 'tcp' | 'rpc';

/** Remembers what comes in, answers as MongoShake's receiver, and does as it is told. */
export class RecordingHandler implements MessageHandler {
  /** Whole messages in the order they were taken, and their logs. */
  readonly messages: IncomingMessage[] = [];
  readonly logs: Buffer[] = [];
  /** Nothing is taken before it resolves. */
  gate: Promise<void> = Promise.resolve();
  /** Answered instead of taking the message, while it says something. */
  refuse: (message: IncomingMessage) => bigint | undefined = () => undefined;
  readonly #acks = new Map<number, bigint>();
  readonly #pending = new Map<number, number>();

  async handle(message: IncomingMessage): Promise<bigint> {
    const { shard } = message;
    this.#pending.set(shard, this.pendingOf(shard) + 1);
    await this.gate;
    this.#pending.set(shard, this.pendingOf(shard) - 1);
    const refusal = this.refuse(message);
    if (refusal !== undefined) return refusal;
    try {
      const before = this.ackOf(shard);
      this.#take(message);
      return before;
    } catch (error) {
      if (error instanceof RawMessageError) return BigInt(error.replyCode);
      throw error;
    }
  }

  ackOf(shard: number): bigint {
    return this.#acks.get(shard) ?? 0n;
  }

  pendingOf(shard: number): number {
    return this.#pending.get(shard) ?? 0;
  }

  async pause(): Promise<void> {}

  resume(): void {}

  /** Messages that hold entries and are marked as sent again. */
  get retransmissions(): number {
    return this.messages.filter(({ tag }) => (tag & RawTag.retransmission) !== 0).length;
  }

  #take(message: IncomingMessage): void {
    const { logs, incomplete } = decodeRawMessage(message.bytes);
    if (incomplete) throw new RawMessageError('it ends early', { replyCode: ReplyCode.error });
    this.messages.push(message);
    this.logs.push(...logs.map((log) => Buffer.from(log)));
    const last = logs.at(-1);
    if (last === undefined) return;
    const { seconds, increment } = headerOf(last);
    this.#acks.set(message.shard, positionOf(seconds, increment));
  }
}

/** A port whose next one is free too, as the tcp tunnel needs. */
export async function freePortPair(): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port % 2 === 0 && (await canListen(port + 1))) return port;
  }
}

export function makeReceiver(
  kind: SocketKind,
  options: Omit<ReceiverServerOptions, 'address' | 'tls' | 'logger'> & {
    port: number;
    tls?: ReceiverServerOptions['tls'];
    logger?: Logger;
  },
): MessageReader {
  const { port, ...rest } = options;
  const all = {
    tls: undefined,
    logger: silentLogger,
    ...rest,
    address: { host: '127.0.0.1', port },
  };
  return kind === 'tcp' ? new TcpReceiverServer(all) : new RpcReceiverServer(all);
}

export function makeSocketTunnel(
  kind: SocketKind,
  options: Omit<ReceiverTunnelOptions, 'tls' | 'logger' | 'compressor'> &
    Partial<Pick<ReceiverTunnelOptions, 'tls' | 'logger' | 'compressor'>>,
): Tunnel {
  const all = { tls: undefined, logger: silentLogger, compressor: 'none' as const, ...options };
  return kind === 'tcp' ? createTcpTunnel(all) : createRpcTunnel(all);
}

/** A tunnel to a receiver of our own. */
export function makeSocketTunnelUnderTest(kind: SocketKind): MakeTunnel {
  return async ({ lanes, budget }) => {
    const port = await freePortPair();
    const handler = new RecordingHandler();
    const receiver = makeReceiver(kind, { port });
    await receiver.open(handler, new AbortController().signal);
    const tunnel = makeSocketTunnel(kind, { addresses: [{ host: '127.0.0.1', port }], lanes, budget });
    return {
      tunnel,
      received: () => Promise.resolve(handler.logs),
      stall: () => {
        let resume = (): void => {};
        handler.gate = new Promise((resolve) => {
          resume = resolve;
        });
        return Promise.resolve(() => {
          resume();
          return Promise.resolve();
        });
      },
      [Symbol.asyncDispose]: async () => {
        await tunnel[Symbol.asyncDispose]();
        await receiver[Symbol.asyncDispose]();
      },
    };
  };
}
