import { BsonType } from '../bson/bson-type.ts';
import { readInt32, valueLength } from '../bson/read-value.ts';
import type { ByteWriter } from '../shared/byte-writer.ts';
import type { EntryHeader } from './entry-header.ts';

/** `incr_sync.oplog.gids`: lets only entries pass whose `g` (an id of some forks of MongoDB) is listed. */
export class GidFilter {
  readonly #gids: readonly Buffer[];

  /** @param gids the ids to let pass; an empty list lets everything pass. */
  constructor(gids: readonly string[]) {
    this.#gids = gids.map((gid) => Buffer.from(gid));
  }

  passes(header: EntryHeader): boolean {
    if (this.#gids.length === 0) return true;
    const { bytes, gAt } = header;
    if (gAt === 0 || header.gType !== BsonType.string) return false;
    const end = gAt + 3 + readInt32(bytes, gAt);
    return this.#gids.some((gid) => gid.compare(bytes, gAt + 4, end) === 0);
  }
}

/** `filter.oplog.gids`: appends the entry to `out` without its field `g`; all else byte for byte. */
export function writeWithoutGid(header: EntryHeader, out: ByteWriter): void {
  const { bytes, start, end, gAt } = header;
  if (gAt === 0) {
    out.append(bytes, start, end);
    return;
  }
  const outStart = out.length;
  out.append(bytes, start, gAt - ELEMENT_HEAD_BYTES);
  out.append(bytes, gAt + valueLength(bytes, header.gType, gAt), end);
  out.bytes.writeInt32LE(out.length - outStart, outStart);
}

/** Type byte, `g`, NUL. */
const ELEMENT_HEAD_BYTES = 3;
