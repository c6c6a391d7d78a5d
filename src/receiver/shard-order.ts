import type { MessageWay } from '../tunnel/message-way.ts';

/** The order in which the messages of one shard are taken, whatever connections and senders they come from. */
export class ShardOrder {
  #lastTurn: Promise<void> = Promise.resolve();
  /** Connections that have carried the shard and are not closed, in the order in which they did first. */
  readonly #ways = new Set<MessageWay>();

  /** Runs after all that were given before it have settled. */
  inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#lastTurn.then(action);
    this.#lastTurn = turn.catch(() => {});
    return turn;
  }

  /** Called for each message; resolves when those connections that have carried the shard before this one have nothing more to bring. */
  async enter(way: MessageWay): Promise<void> {
    if (this.#ways.has(way) || way.ended.aborted) return;
    const before = [...this.#ways];
    this.#ways.add(way);
    way.ended.addEventListener('abort', () => this.#ways.delete(way), { once: true });
    await Promise.all(before.map((other) => other.settled()));
  }
}
