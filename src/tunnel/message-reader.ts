import type { MessageForm } from '../message/message-form-of.ts';
import type { MessageWay } from './message-way.ts';

/** One message that has come in. */
export interface IncomingMessage {
  /** Worker that sent it, as it says; not folded to the number of replayers. */
  readonly shard: number;
  /** Bits of RawTag. */
  readonly tag: number;
  readonly form: MessageForm;
  /** The whole message. Belongs to the handler. */
  readonly bytes: Buffer;
  /** Who sent it, or where it lies, for logs: `address:port`, `topic-0@1234`, `path@1234`. */
  readonly from: string;
  /**
   * For readers of what lasts (a topic, a file), which would find the same bytes again: such a message is never
   * refused, and this is called once when it is done or given up.
   */
  readonly onDone?: () => void;
  /** The connection it came in on. Messages of one shard that come over several are taken connection by connection, in the order of these. */
  readonly way?: MessageWay;
  /** When this aborts, somebody else has to do it: it is dropped unless a replayer has been given it. */
  readonly withdrawn?: AbortSignal;
}

/** Takes what came in, for all shards and connections. */
export interface MessageHandler {
  /**
   * Takes one message. Messages of one connection are handed over one after the other, in their order: the next one
   * is not read before this resolves, which is what holds a fast sender back.
   * @returns what the sender is told, as soon as there is room for the message: the position up to which
   * everything of the shard is done at that moment (MongoShake's receiver does not wait for the message itself
   * either), or a negative `ReplyCode`: the message was not taken, or is to be sent again. A rejection closes the connection.
   */
  handle(message: IncomingMessage): Promise<bigint>;

  /**
   * The position of the last entry that is done of a sender's shard, 0n before the first; may go back when a sender starts
   * again further back. It must be below the position of every entry that was handed over and is not done, and is
   * best the end of a message. Acks and probes are answered with it.
   */
  ackOf(shard: number, sender: string): bigint;

  /** How many messages of a sender's shard were handed over and are not done. */
  pendingOf(shard: number, sender: string): number;

  /** Gives the replayers nothing more, until `resume`. Resolves when they have nothing in their hands. */
  pause(): Promise<void>;

  resume(): void;
}

/** What has come in since a reader was opened. */
export interface ReaderTraffic {
  /** Bytes of whole messages. */
  readonly bytes: number;
  readonly messages: number;
  /** Connections and messages that were turned away: limits, bytes that are no message, peers without TLS. */
  readonly refused: number;
  /** Connections that are open now. */
  readonly connections: number;
}

/** A way in: listens, or follows, until it is closed. */
export interface MessageReader extends AsyncDisposable {
  /**
   * Begins to listen or to follow, and resolves then.
   * @throws OplogueError when it cannot: the port is taken, a file cannot be read
   */
  open(handler: MessageHandler, signal: AbortSignal): Promise<void>;

  /** Aborts with the reason when nothing more can come in. */
  readonly failed: AbortSignal;

  /** What is wrong at the moment. */
  readonly trouble: string | undefined;

  readonly traffic: ReaderTraffic;
}
