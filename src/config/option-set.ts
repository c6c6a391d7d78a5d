import type { OldKey } from './old-key.ts';
import type { Option, ValueOf } from './option.ts';

/** Values of an option table, each of its own type. */
export type ValuesOf<T extends Readonly<Record<string, Option>>> = { readonly [K in keyof T]: ValueOf<T[K]> };

/** Names of former releases, all empty where there are none. */
export interface FormerNames<K extends string> {
  readonly oldKeys: Readonly<Record<string, OldKey<K>>>;
  /** Values that were called otherwise, by key. */
  readonly oldValues: Readonly<Partial<Record<K, Readonly<Record<string, string>>>>>;
  /** Keys that are gone, and what to do instead. */
  readonly removedKeys: Readonly<Record<string, string>>;
}

/** The keys of one kind of configuration file. */
export class OptionSet<T extends Readonly<Record<string, Option>> = Readonly<Record<string, Option>>> {
  /** In the order of the table. */
  readonly keys: ReadonlyArray<keyof T & string>;
  readonly former: FormerNames<keyof T & string>;
  /** Where the keys are described. */
  readonly page: string;
  readonly #table: T;
  readonly #keyOfAlias: ReadonlyMap<string, keyof T & string>;

  constructor(options: { table: T; former: FormerNames<keyof T & string>; page: string }) {
    this.#table = options.table;
    this.former = options.former;
    this.page = options.page;
    this.keys = Object.keys(options.table).filter((key) => this.isKey(key));
    this.#keyOfAlias = new Map(
      this.keys.flatMap((key) => (this.optionOf(key).aliases ?? []).map((name) => [name, key])),
    );
  }

  /** The row of a key. */
  optionOf(key: keyof T & string): Option {
    return this.#table[key];
  }

  isKey(text: string): text is keyof T & string {
    return Object.hasOwn(this.#table, text);
  }

  /** The key that an alias of today stands for. */
  keyOfAlias(name: string): (keyof T & string) | undefined {
    return this.#keyOfAlias.get(name);
  }

  get aliases(): Iterable<string> {
    return this.#keyOfAlias.keys();
  }

  /** Whether there is a value for every key. The types hold too: `parseValue` keeps to the type of the option. */
  isComplete(values: Record<string, unknown>): values is ValuesOf<T> {
    return this.keys.every((key) => Object.hasOwn(values, key));
  }
}
