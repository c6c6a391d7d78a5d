import { firstDocumentOf, type RunCommand } from '../mongo/run-command.ts';
import { positionOfTimestamp } from '../mongo/timestamp.ts';
import { OplogueError } from '../shared/errors.ts';
import type { Position } from '../oplog/position.ts';
import type { OplogWindow } from './change-source.ts';

export const OPLOG_DATABASE = 'local';
export const OPLOG_COLLECTION = 'oplog.rs';

/** The first and last positions of an oplog: two one-document reads from its ends. @throws when it has no entry. */
export async function readOplogWindow(run: RunCommand, readConcern: string): Promise<OplogWindow> {
  const [oldest, newest] = [await readEnd(run, 1, readConcern), await readEnd(run, -1, readConcern)];
  return { oldest, newest };
}

/** The position of the oldest entry. */
export function readOldest(run: RunCommand, readConcern: string): Promise<Position> {
  return readEnd(run, 1, readConcern);
}

async function readEnd(run: RunCommand, direction: 1 | -1, level: string): Promise<Position> {
  const reply = await run(OPLOG_DATABASE, {
    find: OPLOG_COLLECTION,
    sort: { $natural: direction },
    limit: 1,
    singleBatch: true,
    projection: { ts: 1 },
    readConcern: { level },
  });
  const position = positionOfTimestamp(firstDocumentOf(reply)?.['ts']);
  if (position !== undefined) return position;
  throw new OplogueError({
    code: 'OPLOG_EMPTY',
    message: 'The oplog (local.oplog.rs) is empty or does not exist',
    hint: 'check that mongo_urls names data-bearing members of an initiated replica set, no arbiter and no mongos',
  });
}
