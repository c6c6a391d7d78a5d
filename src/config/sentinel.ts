/** MongoShake's run-time options of the incr stage, with its defaults. */
interface SentinelValues {
  OplogDump: number;
  DuplicatedDump: boolean;
  Pause: boolean;
  TPS: number;
  TargetDelay: number;
  ExitPoint: bigint;
  Shutdown: boolean;
}

type SentinelName = keyof SentinelValues;

/** Reads the value of one option; undefined when it has the wrong type or range. */
type Reader<T> = (value: unknown) => T | undefined;

const none = -1n;

/** Whether a value asks for something that is not built: a dump of what passes. Off is taken. */
const notBuilt: { readonly [K in SentinelName]?: (value: unknown) => boolean } = {
  OplogDump: (value) => value !== 0,
  DuplicatedDump: (value) => value !== false,
};

const readers: { readonly [K in SentinelName]: Reader<SentinelValues[K]> } = {
  // 0: nothing, 1: a sample, 2: everything.
  OplogDump: (value) => (value === 0 || value === 1 || value === 2 ? value : undefined),
  DuplicatedDump: readBoolean,
  Pause: readBoolean,
  TPS: readCount,
  TargetDelay: readCount,
  ExitPoint: readPosition,
  Shutdown: readBoolean,
};

/**
 * What can be changed while a collector runs, by a POST to /sentinel/options. Names, defaults and answers are
 * MongoShake's; other than there, a request with a mistake changes nothing, and ExitPoint keeps all its 64 bits.
 */
export class Sentinel {
  readonly #values: SentinelValues = {
    OplogDump: 0,
    DuplicatedDump: false,
    Pause: false,
    TPS: 0,
    TargetDelay: -1,
    ExitPoint: none,
    Shutdown: false,
  };
  readonly #listeners: Array<() => void> = [];
  readonly #shutdown = new AbortController();

  /** Nothing is sent while true. */
  get pause(): boolean {
    return this.#values.Pause;
  }

  /** Most entries per second; 0: no limit. */
  get tps(): number {
    return this.#values.TPS;
  }

  /** Seconds to stay behind the source; -1: as `incr_sync.target_delay` says. */
  get targetDelay(): number {
    return this.#values.TargetDelay;
  }

  /** The last position to carry; below 0: none. */
  get exitPoint(): bigint {
    return this.#values.ExitPoint;
  }

  /** Aborts when somebody asks for the end of the process. */
  get shutdown(): AbortSignal {
    return this.#shutdown.signal;
  }

  /** Calls the listener after each change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** All options by MongoShake's names. ExitPoint is a number while a number holds it exactly, else a bigint. */
  values(): Record<SentinelName, number | boolean | bigint> {
    const { ExitPoint } = this.#values;
    return { ...this.#values, ExitPoint: isSafe(ExitPoint) ? Number(ExitPoint) : ExitPoint };
  }

  /**
   * Sets options by name, all or none.
   * @param options an object; ExitPoint may be a number, a bigint or a decimal string.
   * @returns MongoShake's answer: `success`, `<name> is not exist`, `<name> option isn't corret` (its spelling), or
   * `request json options wrong format`; and, ours, `<name> is not built yet`.
   */
  apply(options: unknown): string {
    if (typeof options !== 'object' || options === null || Array.isArray(options)) {
      return 'request json options wrong format';
    }
    const entries = Object.entries(options);
    const unknown = entries.find(([name]) => !isSentinelName(name));
    if (unknown !== undefined) return `${unknown[0]} is not exist`;
    const changes: Record<string, unknown> = {};
    for (const [name, value] of entries) {
      changes[name] = isSentinelName(name) ? readers[name](value) : undefined;
      if (changes[name] === undefined) return `${name} option isn't corret`;
      if (isSentinelName(name) && notBuilt[name]?.(value) === true) return `${name} is not built yet`;
    }
    Object.assign(this.#values, changes);
    for (const listener of this.#listeners) listener();
    if (this.#values.Shutdown) this.#shutdown.abort();
    return 'success';
  }
}

function isSentinelName(name: string): name is SentinelName {
  return Object.hasOwn(readers, name);
}

function readBoolean(value: unknown): boolean | undefined {
  return typeof value === 'boolean' ? value : undefined;
}

// Below 0 means 0, as in MongoShake.
function readCount(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) ? Math.max(0, value) : undefined;
}

function readPosition(value: unknown): bigint | undefined {
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return positionOf(BigInt(value));
  if (typeof value === 'bigint') return positionOf(value);
  // A larger number has lost bits on its way here.
  return typeof value === 'number' && Number.isSafeInteger(value) ? positionOf(BigInt(value)) : undefined;
}

function positionOf(value: bigint): bigint | undefined {
  if (value < 0n) return none;
  return value === BigInt.asIntN(64, value) ? value : undefined;
}

function isSafe(value: bigint): boolean {
  return Number.isSafeInteger(Number(value));
}
