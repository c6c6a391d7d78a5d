import { basename } from 'node:path';
import { maskSecrets } from '../shared/mask-url.ts';
import { parseConfText, readConfFile, type ConfFile } from './conf-file.ts';
import type { ConfigMistake } from './config-error.ts';
import { nearestKey } from './nearest-key.ts';
import type { Notice } from './notice.ts';
import { collectorOptions, type OptionKey } from './option-table.ts';
import type { OptionSet } from './option-set.ts';
import type { Option } from './option.ts';

/** A key and the text that somebody gave it. */
export interface GivenValue<K extends string = string> {
  readonly key: K;
  readonly text: string;
  /** `collector.conf:12`, `environment variable OPLOGUE_ID`, `--set id`. */
  readonly where: string;
  /** The name under which it was given: today's, an alias or an old one. */
  readonly writtenAs: string;
}

/** Everything that was given, the strongest value of each key, and what there is to say about it. */
export interface GivenValues<K extends string = OptionKey> {
  readonly values: ReadonlyMap<K, GivenValue<K>>;
  readonly notices: readonly Notice[];
  readonly mistakes: readonly ConfigMistake[];
  /** A name of a release before 2.4 occurs. */
  readonly hasOldKeys: boolean;
}

/** Where values come from, weakest first. */
export interface ConfigSources {
  /** Path of the collector.conf or receiver.conf. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `key=value`, in the order of the command line. */
  readonly set: readonly string[];
}

const environmentPrefix = 'OPLOGUE_';
/** Names with our prefix that are not keys. */
const reservedVariables: ReadonlySet<string> = new Set(['OPLOGUE_FAILPOINT']);

/** The environment variable of a key: `tunnel.address` is `OPLOGUE_TUNNEL_ADDRESS`. */
export function environmentNameOf(key: string): string {
  return environmentPrefix + key.replaceAll(/[.-]/g, '_').toUpperCase();
}

/** The keys that are looked for: the collector's, unless said otherwise. */
type Keys<K extends string> = OptionSet<Readonly<Record<K, Option>>>;

/** Gathers the values of all sources; a later source wins over an earlier one, and within one the last line. */
export function gatherValues(sources: ConfigSources): GivenValues;
export function gatherValues<K extends string>(sources: ConfigSources, keys: Keys<K>): GivenValues<K>;
export function gatherValues(
  sources: ConfigSources,
  keys: Keys<string> = collectorOptions,
): GivenValues<string> {
  const gathering = new Gathering(keys);
  if (sources.file !== undefined) gathering.addFile(readConfFile(sources.file), basename(sources.file));
  gathering.addEnvironment(sources.env);
  gathering.addFlags(sources.set);
  return gathering;
}

/** The same for the text of a collector.conf alone, for tests and tools. */
export function gatherText(text: string, name: string): GivenValues {
  const gathering = new Gathering(collectorOptions);
  gathering.addFile(parseConfText(text, name), name);
  return gathering;
}

class Gathering<K extends string> implements GivenValues<K> {
  readonly values = new Map<K, GivenValue<K>>();
  readonly notices: Notice[] = [];
  readonly mistakes: ConfigMistake[] = [];
  hasOldKeys = false;
  readonly #keys: Keys<K>;

  constructor(keys: Keys<K>) {
    this.#keys = keys;
  }

  addFile(file: ConfFile, name: string): void {
    this.mistakes.push(...file.mistakes);
    const layer = new Map<K, GivenValue<K>>();
    for (const { key, value, line } of file.lines)
      this.#add(layer, { name: key, text: value, where: `${name}:${line}` });
    this.#merge(layer);
  }

  addEnvironment(env: ConfigSources['env']): void {
    const layer = new Map<K, GivenValue<K>>();
    const keyOfName = new Map(this.#keys.keys.map((key) => [environmentNameOf(key), key]));
    for (const [variable, text] of Object.entries(env)) {
      if (!variable.startsWith(environmentPrefix) || text === undefined || reservedVariables.has(variable))
        continue;
      const key = keyOfName.get(variable);
      if (key === undefined) {
        // A warning only: another program's variable may happen to begin so.
        const nearest = nearestKey(variable, [...keyOfName.keys()]);
        const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`;
        this.notices.push({
          level: 'warn',
          text: `The environment variable ${variable} is not the name of a key${hint}`,
        });
      } else {
        this.#add(layer, { name: key, text: text.trim(), where: `environment variable ${variable}` });
      }
    }
    this.#merge(layer);
  }

  addFlags(flags: readonly string[]): void {
    const layer = new Map<K, GivenValue<K>>();
    for (const flag of flags) {
      const equals = flag.indexOf('=');
      const name = flag.slice(0, Math.max(equals, 0)).trim();
      if (name === '') {
        this.mistakes.push({
          kind: 'parse',
          where: `--set ${maskSecrets(flag)}`,
          text: 'it has no "="',
          hint: 'write --set key=value',
        });
      } else {
        this.#add(layer, { name, text: flag.slice(equals + 1).trim(), where: `--set ${name}` });
      }
    }
    this.#merge(layer);
  }

  #merge(layer: ReadonlyMap<K, GivenValue<K>>): void {
    for (const [key, given] of layer) this.values.set(key, given);
  }

  #add(layer: Map<K, GivenValue<K>>, line: { name: string; text: string; where: string }): void {
    const given = this.#translate(line);
    if (given === undefined) return;
    const before = layer.get(given.key);
    if (before === undefined || before.writtenAs === given.writtenAs) {
      if (before !== undefined) {
        const text = `${given.where}: ${given.writtenAs} is given again (first at ${before.where}); this one counts`;
        this.notices.push({ level: 'warn', text });
      }
      layer.set(given.key, given);
      return;
    }
    // Two names of one key: as in MongoShake, an older name counts only where today's name says nothing.
    const older = given.writtenAs === given.key ? before : given;
    const newer = older === before ? given : before;
    const winner = newer.text === '' || newer.text === '0' ? older : newer;
    layer.set(given.key, winner);
    if (winner === newer) {
      this.notices.push({
        level: 'warn',
        text: `${older.where}: ${older.writtenAs} has no effect because ${newer.where} gives ${newer.writtenAs}`,
      });
    }
  }

  // Finds the key that a name means, and says so when the name is not today's.
  #translate({
    name,
    text,
    where,
  }: {
    name: string;
    text: string;
    where: string;
  }): GivenValue<K> | undefined {
    const keys = this.#keys;
    if (keys.isKey(name))
      return { key: name, text: this.#translateOldValue(name, text, where), where, writtenAs: name };
    const { oldKeys } = keys.former;
    const old = Object.hasOwn(oldKeys, name) ? oldKeys[name] : undefined;
    const today = old?.today ?? keys.keyOfAlias(name);
    if (today === undefined) {
      this.mistakes.push(this.#unknownKey(name, where));
      return undefined;
    }
    if (old !== undefined) this.hasOldKeys = true;
    const translated = old?.inverted === true ? inverted(text) : text;
    const change = translated === text ? '' : ` (with the contrary value: ${translated})`;
    this.notices.push({ level: 'info', text: `${where}: ${name} is called ${today} today${change}` });
    return { key: today, text: translated, where, writtenAs: name };
  }

  #translateOldValue(key: K, text: string, where: string): string {
    const today = this.#keys.former.oldValues[key]?.[text];
    if (today === undefined) return text;
    this.hasOldKeys = true;
    this.notices.push({
      level: 'info',
      text: `${where}: ${key} = ${text} is called ${key} = ${today} today`,
    });
    return today;
  }

  #unknownKey(name: string, where: string): ConfigMistake {
    const text = `there is no key ${name}`;
    const { former, keys, aliases, page } = this.#keys;
    if (Object.hasOwn(former.removedKeys, name))
      return { kind: 'parse', where, text: `${text} any more`, hint: former.removedKeys[name] };
    const nearest = nearestKey(name, [...keys, ...aliases]);
    const hint = nearest === undefined ? `see ${page} for all keys` : `did you mean ${nearest}?`;
    return { kind: 'parse', where, text, hint };
  }
}

function inverted(text: string): string {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return 'false';
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? 'true' : text;
}

/** The text of a value as messages may show it. */
export function shownValue(option: Option, text: string): string {
  if (text === '') return '(empty)';
  switch (option.secret) {
    case 'all':
      return '***';
    case 'sasl':
      return `${text.slice(0, Math.max(text.indexOf('@'), 0))}@***`;
    default:
      return maskSecrets(text);
  }
}
