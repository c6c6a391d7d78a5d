import { BsonType } from '../bson/bson-type.ts';
import { readInt32 } from '../bson/read-value.ts';
import type { OplogEntry } from '../message/oplog-entry.ts';
import type { OplogCommand } from '../mongo/target-commands.ts';
import { findField, typeOfField } from '../oplog/find-field.ts';
import { ReplayerError } from './replayer-error.ts';

/**
 * Has the command of an entry (`op: c`) carried out.
 * @param run gives false for a command that cannot be
 * @throws ReplayerError for that, and what `run` throws
 */
export async function commandOf(
  entry: OplogEntry,
  run: (command: OplogCommand) => Promise<boolean>,
): Promise<void> {
  const { bytes, database, position, ns } = entry;
  const at = findField(bytes, 0, 'o');
  const isDocument = at !== 0 && typeOfField(bytes, at, 'o') === BsonType.document;
  const o = isDocument ? bytes.subarray(at, at + readInt32(bytes, at)) : undefined;
  if (o !== undefined && (await run({ database, bytes: o, position }))) return;
  const name = Object.keys(entry.document)[0] ?? 'nothing';
  throw new ReplayerError({
    code: 'REPLAYER_UNSUPPORTED',
    message: `The command ${name} on ${ns} cannot be carried to another deployment`,
    hint: 'leave it out with replayer.on_error = dead_letter, or carry it out by hand and skip it',
  });
}
