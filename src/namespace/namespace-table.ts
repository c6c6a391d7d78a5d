import type { EntryHeader } from '../oplog/entry-header.ts';
import { hashText } from '../oplog/key-hash.ts';
import { must } from '../shared/assert.ts';
import type { NamespaceFilter } from './namespace-filter.ts';

/** All that the pipeline wants to know of a namespace; made once and used for each of its entries. */
export interface NamespaceInfo {
  readonly name: string;
  /** Whether changes of its documents are carried. Commands are judged by `NamespaceFilter.passesDdl` instead. */
  readonly passes: boolean;
  /** MongoShake's hash of the name, unsigned 32 bits. */
  readonly hash: number;
  /** Whether its documents are spread over the lanes by `_id`. */
  readonly idSharded: boolean;
  /** How many entries have been seen; counted by the user of the table. */
  entries: number;
}

export interface NamespaceTableOptions {
  readonly filter: NamespaceFilter;
  /** `incr_sync.shard_by_object_id_whitelist`: full names. */
  readonly idSharded: readonly string[];
  /** More names than this start the table anew, so that ever new temporary collections do not fill the memory. */
  readonly namesMax?: number;
}

const NAMES_MAX = 250_000;
const FIRST_CAPACITY = 256;
/** Multiplier of Fibonacci hashing, 2^32 over the golden ratio: spreads MongoShake's weak hash over the slots. */
const GOLDEN = 0x9e3779b1;

/** Interns namespaces by their bytes: no string is made for a name that is known. */
export class NamespaceTable {
  readonly #filter: NamespaceFilter;
  readonly #idSharded: ReadonlySet<string>;
  readonly #namesMax: number;
  /** Open addressing; the capacity is a power of two and at most half full. */
  #names: (Buffer | undefined)[] = [];
  #infos: (NamespaceInfo | undefined)[] = [];
  #shift = 0;
  #size = 0;
  #lastName: Buffer = Buffer.alloc(0);
  #lastInfo: NamespaceInfo;

  constructor(options: NamespaceTableOptions) {
    this.#filter = options.filter;
    this.#idSharded = new Set(options.idSharded);
    this.#namesMax = options.namesMax ?? NAMES_MAX;
    this.#allocate(FIRST_CAPACITY);
    this.#lastInfo = this.#describe(this.#lastName, 0);
  }

  /** How many names are held. */
  get size(): number {
    return this.#size;
  }

  /** The namespace of the entry. Allocates only for a new name. */
  lookup(header: EntryHeader): NamespaceInfo {
    const { bytes, nsStart, nsEnd } = header;
    if (sameBytes(this.#lastName, bytes, nsStart, nsEnd)) return this.#lastInfo;
    const hash = hashText(bytes, nsStart, nsEnd);
    let slot = this.#slotOf(hash);
    for (;;) {
      const name = this.#names[slot];
      if (name === undefined) break;
      if (sameBytes(name, bytes, nsStart, nsEnd)) {
        this.#lastName = name;
        this.#lastInfo = must(this.#infos[slot], 'a namespace has no info');
        return this.#lastInfo;
      }
      slot = (slot + 1) & (this.#names.length - 1);
    }
    return this.#add(Buffer.from(bytes.subarray(nsStart, nsEnd)), hash);
  }

  /** All namespaces met so far, for status pages. */
  *infos(): IterableIterator<NamespaceInfo> {
    for (const info of this.#infos) if (info !== undefined) yield info;
  }

  #add(name: Buffer, hash: number): NamespaceInfo {
    if (this.#size === this.#namesMax) this.#allocate(FIRST_CAPACITY);
    else if (this.#size * 2 >= this.#names.length) this.#grow();
    const info = this.#describe(name, hash);
    this.#put(name, info);
    this.#lastName = name;
    this.#lastInfo = info;
    return info;
  }

  #describe(bytes: Buffer, hash: number): NamespaceInfo {
    const name = bytes.toString();
    return {
      name,
      passes: this.#filter.passes(name),
      hash,
      idSharded: this.#idSharded.has(name),
      entries: 0,
    };
  }

  #put(name: Buffer, info: NamespaceInfo): void {
    let slot = this.#slotOf(info.hash);
    while (this.#names[slot] !== undefined) slot = (slot + 1) & (this.#names.length - 1);
    this.#names[slot] = name;
    this.#infos[slot] = info;
    this.#size++;
  }

  #grow(): void {
    const names = this.#names;
    const infos = this.#infos;
    this.#allocate(names.length * 2);
    for (let i = 0; i < names.length; i++) {
      const name = names[i];
      const info = infos[i];
      if (name !== undefined && info !== undefined) this.#put(name, info);
    }
  }

  #allocate(capacity: number): void {
    this.#names = Array.from({ length: capacity }, () => undefined);
    this.#infos = Array.from({ length: capacity }, () => undefined);
    this.#shift = 32 - Math.log2(capacity);
    this.#size = 0;
  }

  #slotOf(hash: number): number {
    return Math.imul(hash, GOLDEN) >>> this.#shift;
  }
}

function sameBytes(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  const length = end - start;
  if (name.length !== length) return false;
  // From the end: names differ more often there than in the database.
  for (let i = length - 1; i >= 0; i--) if (name[i] !== bytes[start + i]) return false;
  return true;
}
