import { Op, type EntryHeader } from './entry-header.ts';
import { hashDocumentId } from './key-hash.ts';

/** What routing needs to know of a namespace; `NamespaceInfo` of the namespace room has it. */
export interface RoutedNamespace {
  /** `hashText` of the namespace. */
  readonly hash: number;
  /** Whether its documents are spread by `_id`. */
  readonly idSharded: boolean;
}

/**
 * Chooses the lane of an entry by MongoShake's hash, so that the same key always goes to the same lane (I2):
 * by namespace, or by `_id` with `incr_sync.shard_key = id` and for namespaces of
 * `incr_sync.shard_by_object_id_whitelist`. Commands and noops go to lane 0.
 */
export class LaneRouter {
  readonly #lanes: number;
  readonly #byId: boolean;

  constructor(options: { lanes: number; shardKey: 'collection' | 'id' }) {
    this.#lanes = options.lanes;
    this.#byId = options.shardKey === 'id';
  }

  /** The lane, 0 .. lanes-1. Allocates nothing. */
  route(header: EntryHeader, namespace: RoutedNamespace): number {
    if (this.#lanes === 1 || header.op === Op.command || header.op === Op.noop) return 0;
    const hash = this.#byId || namespace.idSharded ? hashDocumentId(header, namespace.hash) : namespace.hash;
    return hash % this.#lanes;
  }
}
