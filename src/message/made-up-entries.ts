import { BSON } from 'bson';

/** Share of inserts and updates; the rest are deletes and, rarely, no-ops: as MongoShake's mock makes them. */
const INSERTS = 0.66;
const UPDATES = 0.33;
const NOOPS = 0.001;
/** How many documents updates and deletes choose from. */
const KNOWN_MAX = 1000;

/** Oplog entries of a collection that does not exist, to try a replayer with. */
export class MadeUpEntries {
  readonly #ns: string;
  readonly #known: BSON.ObjectId[] = [];
  #increment = 0;
  #seconds = 0;

  constructor(ns: string) {
    this.#ns = ns;
  }

  /** The BSON of the next entry. */
  next(): Buffer {
    const now = Math.floor(Date.now() / 1000);
    this.#increment = now === this.#seconds ? this.#increment + 1 : 1;
    this.#seconds = now;
    const ts = new BSON.Timestamp({ t: now, i: this.#increment });
    return Buffer.from(BSON.serialize({ ts, t: 1n, v: 2, ...this.#change(), wall: new Date() }));
  }

  #change(): Record<string, unknown> {
    const ns = this.#ns;
    const chance = Math.random();
    if (chance < NOOPS) return { op: 'n', ns: '', o: { msg: 'made up' } };
    const at = Math.floor(Math.random() * this.#known.length);
    const known = this.#known.at(at);
    if (known === undefined || chance < INSERTS) return { op: 'i', ns, o: this.#insert() };
    if (chance < INSERTS + UPDATES) {
      const o = { $v: 2, diff: { u: { value: Math.random() } } };
      return { op: 'u', ns, o, o2: { _id: known } };
    }
    this.#known.splice(at, 1);
    return { op: 'd', ns, o: { _id: known } };
  }

  #insert(): Record<string, unknown> {
    const _id = new BSON.ObjectId();
    if (this.#known.length < KNOWN_MAX) this.#known.push(_id);
    return { _id, value: Math.random(), text: 'made up', at: new Date() };
  }
}
