import type { OplogEntry } from '../message/oplog-entry.ts';

/** One message on its way through a replayer. */
export interface WorkItem {
  readonly entries: readonly OplogEntry[];
  /** Whether all of them are BSON documents, as far as their first level shows. */
  readonly isReadable: boolean;
  /** What it holds in memory. */
  readonly bytes: number;
  /** Where it came from, for logs. */
  readonly from: string;
  /** Whether somebody has sent it over a socket: it does not last. */
  readonly isSent: boolean;
  /** Called once when all its entries are done. */
  readonly onDone: () => void;
  /** See IncomingMessage. */
  readonly withdrawn?: AbortSignal | undefined;
  /** Called instead of `onDone` when it is dropped. */
  readonly onDropped: () => void;
}
