import { BsonType } from '../bson/bson-type.ts';
import { readInt32 } from '../bson/read-value.ts';
import { Op, type EntryHeader } from './entry-header.ts';
import { hasTrueField } from './find-field.ts';
import { previousPosition } from './previous-position.ts';

/** What an oplog entry is; see {@link classifyEntry}. */
export const EntryKind = {
  /** Insert, update or delete of one document. */
  dml: 0,
  /** Moves the position only. */
  noop: 1,
  /** A command other than those of transactions, or an insert into `system.indexes` (servers before 3.6). */
  ddl: 2,
  /** applyOps whose operations are independent and final: batched deletes of 7.0+, applyOps run by a user. */
  plainApplyOps: 3,
  /** applyOps of a retryable vectored write (8.0+, `multiOpType: 1`); its `prevOpTime` links statements, not parts. */
  retryableApplyOps: 4,
  /** A whole transaction in one entry. */
  wholeTransaction: 5,
  /** Not the last entry of a transaction (`partialTxn: true`). */
  transactionPart: 6,
  /** The last entry of an unprepared transaction of several entries: commits it. */
  lastTransactionPart: 7,
  /** The last data entry of a prepared transaction; a commit or an abort follows. */
  prepare: 8,
  /** Commits a prepared transaction; holds no data. */
  commitPrepared: 9,
  abort: 10,
  /** An `op` that no public server documents; to be carried like a document change, never dropped unseen. */
  unknown: 11,
} as const;
export type EntryKind = (typeof EntryKind)[keyof typeof EntryKind];

/** `MultiOplogEntryType` of the server: the operations of an applyOps are applied separately. */
const MULTI_OP_APPLIED_SEPARATELY = 1;

/**
 * Says what the scanned entry is. Costs a comparison or two for document changes; looks into `o` for commands only.
 *
 * Formats by server version: 3.6 has no transactions; 4.0 writes one applyOps with a null `prevOpTime`; 4.2+
 * links several entries by `prevOpTime` (`partialTxn`, the last with `count`) and knows `prepare`; 7.1+
 * links large batched writes in the same way but without lsid and txnNumber; 8.0+ marks retryable
 * vectored writes with `multiOpType` 1 (applied separately); with 2 (atomically) they are linked like a transaction.
 */
export function classifyEntry(header: EntryHeader): EntryKind {
  switch (header.op) {
    case Op.insert:
      return isSystemIndexes(header) ? EntryKind.ddl : EntryKind.dml;
    case Op.update:
    case Op.delete:
      return EntryKind.dml;
    case Op.noop:
      return EntryKind.noop;
    case Op.command:
      return classifyCommand(header);
    default:
      return EntryKind.unknown;
  }
}

function classifyCommand(header: EntryHeader): EntryKind {
  const { bytes, oAt } = header;
  if (oAt === 0 || header.oType !== BsonType.document) return EntryKind.ddl;
  // The command is the first key of `o`, so only the first key is compared.
  if (firstKeyIs(bytes, oAt, 'applyOps')) return classifyApplyOps(header);
  if (firstKeyIs(bytes, oAt, 'commitTransaction')) return EntryKind.commitPrepared;
  if (firstKeyIs(bytes, oAt, 'abortTransaction')) return EntryKind.abort;
  return EntryKind.ddl;
}

function classifyApplyOps(header: EntryHeader): EntryKind {
  const { bytes, oAt } = header;
  if (isMultiOp(header)) return EntryKind.retryableApplyOps;
  if (hasTrueField(bytes, oAt, 'prepare')) return EntryKind.prepare;
  if (hasTrueField(bytes, oAt, 'partialTxn')) return EntryKind.transactionPart;
  if (previousPosition(header) !== undefined) return EntryKind.lastTransactionPart;
  const inSession = header.lsidAt !== 0 && header.txnNumberAt !== 0;
  return inSession ? EntryKind.wholeTransaction : EntryKind.plainApplyOps;
}

function isMultiOp(header: EntryHeader): boolean {
  return (
    header.multiOpTypeAt !== 0 &&
    header.multiOpTypeType === BsonType.int32 &&
    readInt32(header.bytes, header.multiOpTypeAt) === MULTI_OP_APPLIED_SEPARATELY
  );
}

const SYSTEM_INDEXES = '.system.indexes';

function isSystemIndexes(header: EntryHeader): boolean {
  const { bytes, nsEnd } = header;
  const from = nsEnd - SYSTEM_INDEXES.length;
  if (from <= header.nsStart) return false;
  for (let i = SYSTEM_INDEXES.length - 1; i >= 0; i--) {
    if (bytes[from + i] !== SYSTEM_INDEXES.charCodeAt(i)) return false;
  }
  return true;
}

function firstKeyIs(bytes: Buffer, documentAt: number, name: string): boolean {
  const keyAt = documentAt + 5;
  for (let i = 0; i < name.length; i++) {
    if (bytes[keyAt + i] !== name.charCodeAt(i)) return false;
  }
  return bytes[keyAt + name.length] === 0;
}
