import type { OplogEntry } from '../message/oplog-entry.ts';
import type { Logger } from '../shared/logger.ts';

/** What a replayer is told when it is opened. */
export interface ReplayerContext {
  /** Which one of `count` replayers it is, from 0. */
  readonly index: number;
  /** `replayer` in receiver.conf. */
  readonly count: number;
  /** `replayer.argument` in receiver.conf. */
  readonly argument: string;
  readonly logger: Logger;
}

/** What a replayer is told with entries. */
export interface ApplyContext {
  /** 0 for the first time, then 1, 2, ...: the same entries again, because this replayer rejected them. */
  readonly attempt: number;
  /** Aborts when the receiver is to stop; `apply` may give up then: the entries come again at the next start. */
  readonly signal: AbortSignal;
}

/**
 * What is done with the entries: your code. A module for `replayer.module` exports these functions, or by default an object with
 * them, or a function (which may be asynchronous) or a class that makes one for each of the `replayer` replayers.
 */
export interface Replayer {
  /** Called once before the first entries. A rejection ends the receiver. */
  open?(context: ReplayerContext): void | Promise<void>;

  /**
   * Takes entries in the order of their worker. When it resolves they count as done, and the sender is told so; when it rejects,
   * it gets them again (`replayer.retries`, `replayer.on_error`). It is not called again before it has settled. After a crash or a
   * lost connection entries may come a second time: apply them so that this does no harm.
   */
  apply(entries: readonly OplogEntry[], context: ApplyContext): void | Promise<void>;

  /** Called once, after the last entries. */
  close?(): void | Promise<void>;
}
