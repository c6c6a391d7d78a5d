import type { Position } from '../oplog/position.ts';
import type { Checkpoint } from './checkpoint-store.ts';
import { CheckpointError } from './checkpoint-error.ts';

/** The version that MongoShake 2.4.6 and newer write; 1 and documents without a version are read too. */
export const CHECKPOINT_VERSION = 2;

/** The fields of MongoShake's checkpoint, in its order; 64-bit numbers as bigint. */
export interface CheckpointFields {
  readonly name: string;
  readonly ckpt: bigint;
  readonly version: number;
  readonly fetch_method: string;
  readonly oplog_disk_queue: string;
  readonly oplog_disk_queue_apply_finish_ts: bigint;
}

/** The document that MongoShake's incremental stage writes for this checkpoint. */
export function checkpointFields(checkpoint: Checkpoint): CheckpointFields {
  return {
    name: checkpoint.name,
    ckpt: BigInt.asIntN(64, checkpoint.position),
    version: CHECKPOINT_VERSION,
    fetch_method: checkpoint.fetchMethod,
    oplog_disk_queue: checkpoint.diskQueue,
    oplog_disk_queue_apply_finish_ts: 0n,
  };
}

export interface StoredFields {
  readonly name: string;
  /** Undefined or 0: nothing is stored. */
  readonly position: Position | undefined;
  readonly version: unknown;
  readonly fetchMethod: unknown;
  readonly diskQueue: unknown;
  /** Where it was found, for errors. */
  readonly where: string;
}

/** The checkpoint that stored fields say; undefined when they say none. @throws CheckpointError for what we cannot read. */
export function checkpointOf(fields: StoredFields): Checkpoint | undefined {
  const { name, position, version, fetchMethod, diskQueue, where } = fields;
  if (position === undefined || position === 0n) return undefined;
  const number = version === undefined || version === null ? 1 : Number(version);
  if (!(number >= 0 && number <= CHECKPOINT_VERSION)) {
    throw new CheckpointError({
      code: 'CHECKPOINT_VERSION',
      message: `The checkpoint of ${name} in ${where} has version ${String(version)}; this release reads versions up to ${CHECKPOINT_VERSION}`,
      hint: 'use the release that wrote it, or remove the checkpoint and set checkpoint.start_position',
    });
  }
  return {
    name,
    position,
    fetchMethod: typeof fetchMethod === 'string' ? fetchMethod : '',
    diskQueue: typeof diskQueue === 'string' ? diskQueue : '',
  };
}
