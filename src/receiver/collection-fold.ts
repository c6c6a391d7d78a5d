import { BsonType } from '../bson/bson-type.ts';
import { fieldsOf, type Field } from '../bson/fields-of.ts';
import { makeDocument } from '../bson/make-document.ts';
import { readInt32, valueLength } from '../bson/read-value.ts';
import type { OplogEntry } from '../message/oplog-entry.ts';
import { applyDiff } from '../oplog/apply-diff.ts';
import { findField, typeOfField } from '../oplog/find-field.ts';
import { ReplayerError } from './replayer-error.ts';

/** What an entry does with a document. */
export type Change =
  | { readonly kind: 'put'; readonly id: Buffer; readonly document: Buffer }
  | { readonly kind: 'remove'; readonly id: Buffer }
  | { readonly kind: 'diff'; readonly id: Buffer; readonly diff: Buffer }
  | { readonly kind: 'operators'; readonly id: Buffer; readonly operators: Buffer };

/**
 * Reads an entry that changes a document (`i`, `u`, `d`). `id` is a document that holds nothing but `_id`, as its bytes are.
 * @throws ReplayerError for what cannot be applied to another deployment
 */
export function changeOf(entry: OplogEntry): Change {
  const document = partOf(entry, 'o');
  if (document === undefined) throw unsupported(entry, 'it has no o');
  const { op } = entry;
  const id = idOf(op === 'u' ? (partOf(entry, 'o2') ?? document) : document);
  if (id === undefined) throw unsupported(entry, 'its document has no _id');
  if (op === 'i') return { kind: 'put', id, document };
  if (op === 'd') return { kind: 'remove', id };
  if (op === 'u') return updateOf(entry, id, document);
  throw unsupported(entry, `its op is ${op}`);
}

function updateOf(entry: OplogEntry, id: Buffer, document: Buffer): Change {
  const fields = [...fieldsOf({ bytes: document, at: 0 })];
  const version = fields.find(({ name }) => name === '$v');
  const diff = fields.find(({ name }) => name === 'diff');
  if (version !== undefined && numberOf(version) === 2) {
    if (diff?.type !== BsonType.document) throw unsupported(entry, 'its $v is 2, and it has no diff');
    return { kind: 'diff', id, diff: document.subarray(diff.valueAt, diff.end) };
  }
  if (!(fields[0]?.name.startsWith('$') ?? false)) {
    const isWhole = findField(document, 0, '_id') !== 0;
    return {
      kind: 'put',
      id,
      document: isWhole ? document : makeDocument([id.subarray(4, -1), document.subarray(4, -1)]),
    };
  }
  const operators = fields.filter(({ name }) => name !== '$v');
  const unknown = operators.find(({ name }) => name !== '$set' && name !== '$unset');
  if (unknown !== undefined) throw unsupported(entry, `it is an update with ${unknown.name}`);
  return {
    kind: 'operators',
    id,
    operators: makeDocument(operators.map(({ at, end }) => document.subarray(at, end))),
  };
}

/** What becomes of the documents of one collection, from what they were and from entries in their order. */
export class CollectionFold {
  /** By id, as they were. */
  readonly #known = new Map<string, Buffer>();
  /** By id; null: there is none. In the order in which they were touched last. */
  readonly #documents = new Map<string, { readonly id: Buffer; readonly document: Buffer | null }>();
  /** Updates of documents that are not there. */
  missing = 0;

  /** Notes a document as it is. */
  found(document: Buffer): void {
    const id = idOf(document);
    if (id !== undefined) this.#known.set(keyOf(id), document);
  }

  /** @throws DiffError, MalformedBsonError */
  apply(change: Exclude<Change, { kind: 'operators' }>): void {
    const { id } = change;
    const key = keyOf(id);
    const before = this.#documents.get(key);
    const old = before === undefined ? (this.#known.get(key) ?? null) : before.document;
    let document: Buffer | null = null;
    if (change.kind === 'put') document = change.document;
    if (change.kind === 'diff') {
      if (old === null) {
        this.missing++;
        return;
      }
      document = applyDiff(old, change.diff);
    }
    this.#documents.delete(key);
    this.#documents.set(key, { id, document });
  }

  /** Ids of the documents that are to be removed. */
  get removed(): Buffer[] {
    return [...this.#documents.values()].filter(({ document }) => document === null).map(({ id }) => id);
  }

  /** The documents that are to be there, whole. */
  get put(): Array<{ id: Buffer; document: Buffer }> {
    return [...this.#documents.values()].flatMap(({ id, document }) =>
      document === null ? [] : [{ id, document }],
    );
  }
}

/** Ids of the documents that have to be known before these changes: those that an update comes to before anything else. */
export function idsToFind(changes: readonly Change[]): Buffer[] {
  const touched = new Set<string>();
  const ids: Buffer[] = [];
  for (const { kind, id } of changes) {
    const key = keyOf(id);
    if (touched.has(key)) continue;
    touched.add(key);
    if (kind === 'diff') ids.push(id);
  }
  return ids;
}

function keyOf(id: Buffer): string {
  return id.toString('latin1');
}

function idOf(document: Buffer): Buffer | undefined {
  const at = findField(document, 0, '_id');
  if (at === 0) return undefined;
  const end = at + valueLength(document, typeOfField(document, at, '_id'), at);
  return makeDocument([document.subarray(at - '_id'.length - 2, end)]);
}

function partOf({ bytes }: OplogEntry, name: string): Buffer | undefined {
  const at = findField(bytes, 0, name);
  if (at === 0 || typeOfField(bytes, at, name) !== BsonType.document) return undefined;
  return bytes.subarray(at, at + readInt32(bytes, at));
}

function numberOf({ bytes, type, valueAt }: Field): number | undefined {
  if (type === BsonType.int32) return readInt32(bytes, valueAt);
  if (type === BsonType.int64) return Number(bytes.readBigInt64LE(valueAt));
  return type === BsonType.double ? bytes.readDoubleLE(valueAt) : undefined;
}

function unsupported(entry: OplogEntry, why: string): ReplayerError {
  return new ReplayerError({
    code: 'REPLAYER_UNSUPPORTED',
    message: `An entry on ${entry.ns} cannot be applied to another deployment: ${why}`,
    hint: 'leave it out with replayer.on_error = dead_letter, or apply it by hand and skip it',
  });
}
