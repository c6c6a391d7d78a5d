import type { Position } from '../../oplog/position.ts';
import type { Logger } from '../../shared/logger.ts';
import { formatSocketAddress, type SocketAddress } from '../../config/socket-address.ts';

/** One receiver, with all lanes that lead to it. */
export class Peer {
  readonly address: SocketAddress;
  readonly name: string;
  /** How many lanes lead here. */
  lanes = 0;
  /** The highest position sent to it; an ack above it is none. */
  highestSent: Position = 0n;
  readonly #logger: Logger;
  /** What is wrong, by lane. */
  readonly #troubles = new Map<number, string>();
  #said: string | undefined;

  constructor(address: SocketAddress, logger: Logger) {
    this.address = address;
    this.name = formatSocketAddress(address);
    this.#logger = logger;
  }

  get trouble(): string | undefined {
    return this.#troubles.values().next().value;
  }

  /** Notes that a message ending there has been sent. */
  sent(position: Position): void {
    if (position > this.highestSent) this.highestSent = position;
  }

  /** Notes what is wrong for a lane; lanes that say the same are logged once. */
  complain(lane: number, trouble: string): void {
    this.#troubles.set(lane, trouble);
    if (trouble === this.#said) return;
    this.#said = trouble;
    this.#logger.warn({ receiver: this.name }, `${trouble}; nothing is lost, it is tried again`);
  }

  /** Notes that a lane is served again. */
  recover(lane: number): void {
    if (!this.#troubles.delete(lane) || this.#troubles.size > 0) return;
    this.#said = undefined;
    this.#logger.info({ receiver: this.name }, 'the receiver takes entries again');
  }
}
