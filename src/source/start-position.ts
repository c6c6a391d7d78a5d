import { formatPosition, type Position } from '../oplog/position.ts';
import type { OplogWindow } from './change-source.ts';
import { PositionLostError } from './position-lost-error.ts';

export interface StartFacts {
  /** Replica-set name. */
  readonly source: string;
  /** The stored checkpoint; undefined when there is none. */
  readonly checkpoint: Position | undefined;
  /** Where the tunnel says that reading resumes (exactly once); undefined: it says nothing. */
  readonly frontier?: Position | undefined;
  /** `checkpoint.start_position`: used only where there is no checkpoint. */
  readonly startPosition: Position;
  readonly window: OplogWindow;
}

export interface StartDecision {
  /** Read what comes after it. */
  readonly after: Position;
  readonly by: 'frontier' | 'checkpoint' | 'start_position' | 'oldest';
  /** For the log: where reading starts, why, and what looks odd about it. */
  readonly text: string;
}

/** MongoShake stores 1 where it means "nothing yet"; 0 is what an API without a checkpoint answers. */
const NOTHING_YET = 1n;
/** `1970-01-01T00:00:00Z`, which MongoShake turns into the first second: from the oldest entry. */
const FIRST_SECOND = 1n << 32n;

/**
 * Where incremental reading of one replica set starts: after the checkpoint or the tunnel's frontier, whichever is higher, else after `start_position`, else (1970)
 * from the oldest entry.
 * MongoShake refuses a checkpoint that is the oldest entry itself; here it is good, for nothing after it is missing.
 * @throws PositionLostError when entries after the position have left the oplog already (I7).
 */
export function decideStart(facts: StartFacts): StartDecision {
  const { source, checkpoint, frontier, startPosition, window } = facts;
  if (frontier !== undefined && frontier >= (checkpoint ?? 0n)) {
    if (frontier < window.oldest) throw new PositionLostError({ source, from: frontier, to: window.oldest });
    const stored =
      checkpoint === undefined ? 'there is no checkpoint' : `its checkpoint is ${formatPosition(checkpoint)}`;
    return {
      after: frontier,
      by: 'frontier',
      text: `${source} starts after its frontier in Kafka ${formatPosition(frontier)}${future(frontier, window)}; ${stored}`,
    };
  }
  if (checkpoint !== undefined && checkpoint > NOTHING_YET) {
    if (checkpoint < window.oldest) {
      throw new PositionLostError({ source, from: checkpoint, to: window.oldest });
    }
    return {
      after: checkpoint,
      by: 'checkpoint',
      text: `${source} starts after its checkpoint ${formatPosition(checkpoint)}${future(checkpoint, window)}${above(frontier)}`,
    };
  }
  if (startPosition <= FIRST_SECOND) {
    return {
      after: FIRST_SECOND,
      by: 'oldest',
      text: `${source} has no checkpoint and starts at its oldest entry ${formatPosition(window.oldest)}`,
    };
  }
  if (startPosition < window.oldest) {
    throw new PositionLostError({
      source,
      from: startPosition,
      to: window.oldest,
      hint: 'set checkpoint.start_position to a later time, or to 1970-01-01T00:00:00Z to start at the oldest entry that there is',
    });
  }
  return {
    after: startPosition,
    by: 'start_position',
    text: `${source} has no checkpoint and starts at checkpoint.start_position ${formatPosition(startPosition)}${future(startPosition, window)}`,
  };
}

function above(frontier: Position | undefined): string {
  if (frontier === undefined) return '';
  return `; its frontier in Kafka ${formatPosition(frontier)} is lower, as after a run with tunnel.kafka.delivery = at_least_once`;
}

function future(position: Position, window: OplogWindow): string {
  if (position <= window.newest) return '';
  return `, which is newer than its newest entry ${formatPosition(window.newest)}: nothing is read until that is reached`;
}
