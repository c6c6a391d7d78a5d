import type { IncomingMessage, MessageHandler } from '../../src/tunnel/message-reader.ts';

/** Takes every message, and says at once that it is done unless told to wait. */
export class MessageRecorder implements MessageHandler {
  readonly messages: IncomingMessage[] = [];
  /** Whether a message is done at once. */
  doneAtOnce = true;
  /** Called before a message is taken; may hold it up. */
  onHandle: (message: IncomingMessage) => Promise<void> | void = () => undefined;

  /** The messages as text. */
  get texts(): string[] {
    return this.messages.map(({ bytes }) => bytes.toString());
  }

  async handle(message: IncomingMessage): Promise<bigint> {
    await this.onHandle(message);
    this.messages.push(message);
    if (this.doneAtOnce) message.onDone?.();
    return 0n;
  }

  ackOf(): bigint {
    return 0n;
  }

  pendingOf(): number {
    return 0;
  }

  async pause(): Promise<void> {}

  resume(): void {}
}
