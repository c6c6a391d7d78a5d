import { basename } from 'node:path';
import { maskSecrets } from '../shared/mask-url.ts';
import { parseConfText, readConfFile, type ConfFile } from './conf-file.ts';
import type { ConfigMistake } from './config-error.ts';
import { nearestKey } from './nearest-key.ts';
import type { Notice } from './notice.ts';
import { oldKeys, oldValues, removedKeys } from './old-key.ts';
import { isOptionKey, optionKeys, optionOf, type OptionKey } from './option-table.ts';
import type { Option } from './option.ts';

/** A key and the text that somebody gave it. */
export interface GivenValue {
  readonly key: OptionKey;
  readonly text: string;
  /** `collector.conf:12`, `environment variable OPLOGUE_ID`, `--set id`. */
  readonly where: string;
  /** The name under which it was given: today's, an alias or an old one. */
  readonly writtenAs: string;
}

/** Everything that was given, the strongest value of each key, and what there is to say about it. */
export interface GivenValues {
  readonly values: ReadonlyMap<OptionKey, GivenValue>;
  readonly notices: readonly Notice[];
  readonly mistakes: readonly ConfigMistake[];
  /** A name of a release before 2.4 occurs. */
  readonly hasOldKeys: boolean;
}

/** Where values come from, weakest first. */
export interface ConfigSources {
  /** Path of the collector.conf. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** `key=value`, in the order of the command line. */
  readonly set: readonly string[];
}

const environmentPrefix = 'OPLOGUE_';
/** Names with our prefix that are not keys. */
const reservedVariables: ReadonlySet<string> = new Set(['OPLOGUE_FAILPOINT']);

/** The environment variable of a key: `tunnel.address` is `OPLOGUE_TUNNEL_ADDRESS`. */
export function environmentNameOf(key: OptionKey): string {
  return environmentPrefix + key.replaceAll(/[.-]/g, '_').toUpperCase();
}

const keyOfEnvironmentName = new Map(optionKeys.map((key) => [environmentNameOf(key), key]));
const keyOfAlias = new Map(
  optionKeys.flatMap((key) => (optionOf(key).aliases ?? []).map((name) => [name, key])),
);

/** Gathers the values of all sources; a later source wins over an earlier one, and within one the last line. */
export function gatherValues(sources: ConfigSources): GivenValues {
  const gathering = new Gathering();
  if (sources.file !== undefined) gathering.addFile(readConfFile(sources.file), basename(sources.file));
  gathering.addEnvironment(sources.env);
  gathering.addFlags(sources.set);
  return gathering;
}

/** The same for the text of a file alone, for tests and tools. */
export function gatherText(text: string, name: string): GivenValues {
  const gathering = new Gathering();
  gathering.addFile(parseConfText(text, name), name);
  return gathering;
}

class Gathering implements GivenValues {
  readonly values = new Map<OptionKey, GivenValue>();
  readonly notices: Notice[] = [];
  readonly mistakes: ConfigMistake[] = [];
  hasOldKeys = false;

  addFile(file: ConfFile, name: string): void {
    this.mistakes.push(...file.mistakes);
    const layer = new Map<OptionKey, GivenValue>();
    for (const { key, value, line } of file.lines)
      this.#add(layer, { name: key, text: value, where: `${name}:${line}` });
    this.#merge(layer);
  }

  addEnvironment(env: ConfigSources['env']): void {
    const layer = new Map<OptionKey, GivenValue>();
    for (const [variable, text] of Object.entries(env)) {
      if (!variable.startsWith(environmentPrefix) || text === undefined || reservedVariables.has(variable))
        continue;
      const key = keyOfEnvironmentName.get(variable);
      if (key === undefined) {
        // A warning only: another program's variable may happen to begin so.
        const nearest = nearestKey(variable, [...keyOfEnvironmentName.keys()]);
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
    const layer = new Map<OptionKey, GivenValue>();
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

  #merge(layer: ReadonlyMap<OptionKey, GivenValue>): void {
    for (const [key, given] of layer) this.values.set(key, given);
  }

  #add(layer: Map<OptionKey, GivenValue>, line: { name: string; text: string; where: string }): void {
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
  #translate({ name, text, where }: { name: string; text: string; where: string }): GivenValue | undefined {
    if (isOptionKey(name))
      return { key: name, text: this.#translateOldValue(name, text, where), where, writtenAs: name };
    const old = Object.hasOwn(oldKeys, name) ? oldKeys[name] : undefined;
    const today = old?.today ?? keyOfAlias.get(name);
    if (today === undefined) {
      this.mistakes.push(unknownKey(name, where));
      return undefined;
    }
    if (old !== undefined) this.hasOldKeys = true;
    const translated = old?.inverted === true ? inverted(text) : text;
    const change = translated === text ? '' : ` (with the contrary value: ${translated})`;
    this.notices.push({ level: 'info', text: `${where}: ${name} is called ${today} today${change}` });
    return { key: today, text: translated, where, writtenAs: name };
  }

  #translateOldValue(key: OptionKey, text: string, where: string): string {
    const today = oldValues[key]?.[text];
    if (today === undefined) return text;
    this.hasOldKeys = true;
    this.notices.push({
      level: 'info',
      text: `${where}: ${key} = ${text} is called ${key} = ${today} today`,
    });
    return today;
  }
}

function inverted(text: string): string {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return 'false';
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? 'true' : text;
}

function unknownKey(name: string, where: string): ConfigMistake {
  const text = `there is no key ${name}`;
  if (Object.hasOwn(removedKeys, name))
    return { kind: 'parse', where, text: `${text} any more`, hint: removedKeys[name] };
  const nearest = nearestKey(name, [...optionKeys, ...keyOfAlias.keys()]);
  const hint = nearest === undefined ? 'see docs/configuration.md for all keys' : `did you mean ${nearest}?`;
  return { kind: 'parse', where, text, hint };
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
