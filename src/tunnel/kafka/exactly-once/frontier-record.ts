import { incrementOf, positionOf, secondsOf, type Position } from '../../../oplog/position.ts';
import type { Frontier } from '../../tunnel.ts';
import { KafkaTunnelError } from '../client/kafka-error.ts';

/** Whose frontier it is: a job's source, and one run of it. */
export interface FrontierOwner {
  /** `id` of the configuration. */
  readonly id: string;
  /** Replica-set name. */
  readonly source: string;
  /** Random, new for each run. */
  readonly run: string;
}

/** What the checkpoint topic holds for a source. */
export interface FrontierRecord {
  /** The run that wrote it. */
  readonly run: string;
  /** undefined: an owner that has not carried anything yet. */
  readonly frontier: Frontier | undefined;
}

/** Form of the record's value; a newer one is not read. */
const VERSION = 1;

/** The record's key: one for each source of each job. */
export function frontierKey({ id, source }: Pick<FrontierOwner, 'id' | 'source'>): Buffer {
  return Buffer.from(`${id}/${source}`);
}

/** The record's value, JSON (docs/delivery-guarantees.md). */
export function frontierValue(owner: FrontierOwner, frontier: Frontier | undefined): Buffer {
  const { id, source, run } = owner;
  const partial = frontier?.partial;
  return Buffer.from(
    JSON.stringify({
      version: VERSION,
      id,
      source,
      owner: run,
      resumeAfter: frontier === undefined ? null : positionText(frontier.resumeAfter),
      deliveredThrough: frontier === undefined ? null : positionText(frontier.deliveredThrough),
      ...(partial === undefined ? {} : { partial: { ...partial, at: positionText(partial.at) } }),
      atMs: Date.now(),
    }),
  );
}

/** Reads a record's value. @throws KafkaTunnelError for what this release cannot read */
export function readFrontierValue(value: Buffer, where: string): FrontierRecord {
  try {
    const record: unknown = JSON.parse(value.toString());
    return frontierRecordOf(record);
  } catch (cause) {
    throw new KafkaTunnelError({
      code: 'KAFKA_CHECKPOINT_UNREADABLE',
      message: `The record ${where} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'use the release that wrote it, or another id, which begins at the checkpoint in MongoDB',
      cause,
    });
  }
}

function frontierRecordOf(record: unknown): FrontierRecord {
  const version = fieldOf(record, 'version');
  if (version !== VERSION) throw new Error(`it has version ${String(version)}, not ${VERSION}`);
  const run = fieldOf(record, 'owner');
  if (typeof run !== 'string') throw new Error('it names no owner');
  if (fieldOf(record, 'resumeAfter') === null) return { run, frontier: undefined };
  const partial = fieldOf(record, 'partial');
  return {
    run,
    frontier: {
      resumeAfter: positionField(record, 'resumeAfter'),
      deliveredThrough: positionField(record, 'deliveredThrough'),
      ...(partial === undefined
        ? {}
        : { partial: { at: positionField(partial, 'at'), operations: countField(partial, 'operations') } }),
    },
  };
}

function fieldOf(record: unknown, name: string): unknown {
  if (typeof record !== 'object' || record === null) throw new Error('it is no JSON object');
  return Reflect.get(record, name);
}

function countField(record: unknown, name: string): number {
  const value = fieldOf(record, name);
  if (typeof value !== 'number' || !Number.isSafeInteger(value))
    throw new Error(`${name} is no whole number`);
  return value;
}

/** `seconds:increment` */
function positionText(position: Position): string {
  return `${secondsOf(position)}:${incrementOf(position)}`;
}

function positionField(record: unknown, name: string): Position {
  const match = /^(\d{1,10}):(\d{1,10})$/.exec(String(fieldOf(record, name)));
  if (match === null) throw new Error(`${name} is no position`);
  return positionOf(Number(match[1]), Number(match[2]));
}
