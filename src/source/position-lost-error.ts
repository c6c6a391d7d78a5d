import { OplogueError } from '../shared/errors.ts';
import { formatPosition, secondsOf, type Position } from '../oplog/position.ts';

/**
 * The oplog does not hold what follows our position any more (I7). Nothing can be done by waiting: the changes
 * between are gone, and reading on would skip them silently.
 */
export class PositionLostError extends OplogueError {
  /** The last position that we have, and the oldest entry that there is. */
  readonly from: Position;
  readonly to: Position;

  constructor(options: { source: string; from: Position; to: Position; hint?: string }) {
    const missing = Math.max(0, secondsOf(options.to) - secondsOf(options.from));
    super({
      code: 'POSITION_LOST',
      message:
        `The oplog of replica set ${options.source} has rolled past our position: the changes after ` +
        `${formatPosition(options.from)} and before ${formatPosition(options.to)} are gone, ${describeSeconds(missing)} of them`,
      hint:
        options.hint ??
        'copy the data anew, then remove the checkpoint and set checkpoint.start_position to the time of the copy; ' +
          'enlarge the oplog (replSetResizeOplog, minRetentionHours) so that it outlasts the next pause',
    });
    this.from = options.from;
    this.to = options.to;
  }
}

/** Our position is not part of this oplog, although it holds older and newer entries: another history (I7). */
export class ForeignPositionError extends OplogueError {
  readonly position: Position;

  constructor(options: { source: string; position: Position; next: Position }) {
    super({
      code: 'POSITION_FOREIGN',
      message:
        `The oplog of replica set ${options.source} has no entry at our position ${formatPosition(options.position)}, ` +
        `though it goes from before it to ${formatPosition(options.next)} and on: the entry was rolled back, or the checkpoint belongs to another replica set or to a backup that was restored`,
      hint: 'check that mongo_urls and the checkpoint belong together; if they do, compare the data of both sides, then remove the checkpoint and set checkpoint.start_position',
    });
    this.position = options.position;
  }
}

function describeSeconds(seconds: number): string {
  if (seconds < 120) return `${seconds} seconds`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} minutes`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} hours`;
  return `${Math.round(seconds / 86_400)} days`;
}
