import type { Ddl } from '../oplog/ddl.ts';

export interface NamespaceFilterOptions {
  /** `filter.namespace.black`: databases or collections (`db.coll`) that do not pass. */
  readonly black: readonly string[];
  /** `filter.namespace.white`: when not empty, only these pass. */
  readonly white: readonly string[];
  /** `filter.pass.special.db`: built-in ignored names that pass all the same, separated by `;`. */
  readonly passSpecialDb: string;
  /** `checkpoint.storage.db`: our own database never passes. */
  readonly checkpointDb: string;
}

/** A name that is ignored wherever it occurs. */
const SYSTEM_VIEWS = 'system.views';

/**
 * Which namespaces are carried: MongoShake's built-in list, then the black and the white list. An item `db` is that
 * database, an item `db.coll` that collection and everything named `db.coll.*`. Items are taken literally;
 * that other characters than the dot work as a pattern in MongoShake is an accident there.
 */
export class NamespaceFilter {
  readonly #black: readonly string[];
  readonly #white: readonly string[];
  readonly #ignoredPrefixes: readonly string[];
  readonly #ignoresViews: boolean;

  constructor(options: NamespaceFilterOptions) {
    this.#black = options.black;
    this.#white = options.white;
    const special = new Set(
      options.passSpecialDb
        .split(';')
        .map((name) => name.trim())
        .filter((name) => name !== ''),
    );
    const ignored = [
      'admin',
      'local',
      'config',
      'mongoshake',
      'mongoshake_conflict',
      options.checkpointDb,
      `${options.checkpointDb}__conflict`,
    ];
    this.#ignoredPrefixes = ignored
      .filter((name) => name !== '' && !special.has(name) && !special.has(`${name}.`))
      .map((name) => `${name}.`);
    this.#ignoresViews = !special.has(SYSTEM_VIEWS);
  }

  /** Whether changes of documents in `namespace` (`db.coll`) are carried. */
  passes(namespace: string): boolean {
    if (this.#isIgnored(namespace)) return false;
    if (this.#black.some((item) => covers(item, namespace))) return false;
    return this.#white.length === 0 || this.#white.some((item) => covers(item, namespace));
  }

  /**
   * Whether a DDL is carried: when a collection that it touches passes, so a rename passes when either name does.
   * A command on a whole database passes a white list only when the database itself is listed.
   */
  passesDdl(ddl: Ddl): boolean {
    if (ddl.alwaysFiltered) return false;
    if (ddl.scope === 'database') return this.passes(`${ddl.database}.$cmd`);
    if (ddl.scope === 'unknown') return this.#passesUnknown(ddl.database);
    return ddl.namespaces.some((namespace) => this.passes(namespace));
  }

  /** A command that does not say what it touches passes when anything in its database may. */
  #passesUnknown(database: string): boolean {
    const namespace = `${database}.$cmd`;
    if (this.#isIgnored(namespace) || this.#black.some((item) => covers(item, namespace))) return false;
    return (
      this.#white.length === 0 ||
      this.#white.some((item) => item === database || item.startsWith(`${database}.`))
    );
  }

  #isIgnored(namespace: string): boolean {
    if (namespace.startsWith('admin.$cmd')) return false;
    if (this.#ignoresViews && namespace.includes(SYSTEM_VIEWS)) return true;
    return this.#ignoredPrefixes.some((prefix) => namespace.startsWith(prefix));
  }
}

function covers(item: string, namespace: string): boolean {
  return namespace.startsWith(item) && (namespace.length === item.length || namespace[item.length] === '.');
}
