import type { Position } from '../oplog/position.ts';

/** What a receiver shows of itself. */
export interface ReceiverView {
  readonly id: string;
  readonly version: string;
  /** `tcp`, `rpc`, `file`, `kafka`, `mock`. */
  readonly tunnel: string;
  /** What is wrong with the way in at the moment. */
  readonly trouble: string | undefined;
  readonly traffic: {
    readonly bytes: number;
    readonly messages: number;
    readonly refused: number;
    readonly connections: number;
  };
  readonly replayers: ReadonlyArray<{
    readonly done: number;
    readonly retries: number;
    readonly skipped: number;
    readonly deadLettered: number;
    /** Messages that wait or are being applied. */
    readonly queued: number;
    readonly trouble: string | undefined;
  }>;
  /** By the number of the worker that sends. */
  readonly shards: ReadonlyMap<number, { readonly pending: number; readonly ack: Position }>;
  readonly memory: { readonly usedBytes: number; readonly peakBytes: number; readonly limitBytes: number };
}
