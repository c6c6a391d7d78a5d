/** The parts of conf/collector.conf and docs/configuration.md, in their order. */
export type OptionSection =
  | 'process'
  | 'http'
  | 'log'
  | 'source'
  | 'tunnel'
  | 'kafka'
  | 'receiver'
  | 'file'
  | 'replayer'
  | 'filter'
  | 'checkpoint'
  | 'workers'
  | 'memory'
  | 'full-sync'
  | 'direct'
  | 'debug';

/** What holds for a key of any type. */
interface OptionBase {
  readonly section: OptionSection;
  /** What the key does, in plain words; one or more sentences. */
  readonly text: string;
  /** The MongoShake release that has the key (`2.8.4` stands for that and earlier ones), or `oplogue` for our own. */
  readonly since: '2.8.4' | '2.8.7' | 'oplogue';
  /** The name of the key in MongoShake's REST page /conf, for MongoShake's own keys. */
  readonly goName?: string;
  /** The value in the shipped collector.conf, where it differs from the default. */
  readonly shipped?: string;
  /** Not written into the shipped collector.conf: rarely needed. */
  readonly inner?: true;
  /** `all`: the whole value is secret; `url`: it may hold `user:password@`; `sasl`: `user@password`. */
  readonly secret?: 'all' | 'url' | 'sasl';
  /** Other names of this key that MongoShake 2.8 reads: older ones, or a later spelling. */
  readonly aliases?: readonly string[];
  /** Values that need a feature which is not built yet: value (`*` for any that is not empty) to the feature's name. */
  readonly notBuilt?: Readonly<Record<string, string>>;
  /** Why the key is accepted although it has no effect. */
  readonly ignored?: string;
}

/** Text; with `allowed`, one of a few words. */
export interface StringOption extends OptionBase {
  readonly type: 'string';
  readonly default: string;
  readonly allowed?: readonly string[];
}

/** Go's `strconv.ParseBool`. */
export interface BooleanOption extends OptionBase {
  readonly type: 'bool';
  readonly default: boolean;
}

/** A whole number (`int`), a number of bytes with an optional suffix, or a duration in milliseconds with an optional suffix. */
export interface NumberOption extends OptionBase {
  readonly type: 'int' | 'bytes' | 'duration';
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
  /** Which given values mean the default: 0, or 0 and everything below it. */
  readonly meansDefault?: 'zero' | 'zero and below';
  readonly unit?: string;
}

/** `2006-01-02T15:04:05Z`, kept as Unix seconds. */
export interface DateOption extends OptionBase {
  readonly type: 'date';
  readonly default: number;
}

/** Items between semicolons, or `@@name` for the lines of a file. */
export interface ListOption extends OptionBase {
  readonly type: 'list';
  readonly default: readonly string[];
}

/** One row of the option table. */
export type Option = StringOption | BooleanOption | NumberOption | DateOption | ListOption;

/** The type of an option's value. */
export type ValueOf<T extends Option> = T extends { type: 'string'; allowed: readonly (infer U)[] }
  ? U
  : T extends { type: 'string' }
    ? string
    : T extends { type: 'bool' }
      ? boolean
      : T extends { type: 'list' }
        ? readonly string[]
        : number;
