import type { PinnedMember } from '../mongo/pinned-member.ts';

/** What has rested for longer may have died in silence. */
const FRESH_MS = 10_000;

/** A connection to a member that is made before it is known from where on to read. */
export class PreparedMember implements AsyncDisposable {
  #member: Promise<PinnedMember> | undefined;
  #madeAtMs = 0;

  /** Begins to connect; takes the place of what was prepared before. A failure is that of who takes it. */
  prepare(pin: () => Promise<PinnedMember>): void {
    void this[Symbol.asyncDispose]();
    this.#madeAtMs = performance.now();
    this.#member = pin();
    this.#member.catch(() => undefined);
  }

  /** @returns what was prepared a moment ago, once; undefined: nothing, or too long ago */
  take(): Promise<PinnedMember> | undefined {
    const member = this.#member;
    if (performance.now() - this.#madeAtMs > FRESH_MS) {
      void this[Symbol.asyncDispose]();
      return undefined;
    }
    this.#member = undefined;
    return member;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const member = this.#member;
    this.#member = undefined;
    const unused = await member?.catch(() => undefined);
    await unused?.[Symbol.asyncDispose]();
  }
}
