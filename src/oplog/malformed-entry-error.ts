import { OplogueError } from '../shared/errors.ts';
import type { EntryHeader } from './entry-header.ts';
import { formatPosition } from './position.ts';

/** An oplog entry that is BSON but not of a shape that any known server writes. */
export class MalformedEntryError extends OplogueError {
  constructor(header: EntryHeader, what: string) {
    super({
      code: 'MALFORMED_ENTRY',
      message: `Malformed oplog entry at ts ${formatPosition(header.position)}, namespace ${header.ns}: ${what}`,
      hint: 'look at the entry in local.oplog.rs and report its shape to the Oplogue project',
    });
  }
}
