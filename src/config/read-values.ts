import { assert } from '../shared/assert.ts';
import type { ConfigMistake } from './config-error.ts';
import { shownValue, type GivenValue, type GivenValues } from './given-value.ts';
import type { Notice } from './notice.ts';
import { collectorOptions, type OptionKey, type OptionValues } from './option-table.ts';
import type { OptionSet, ValuesOf } from './option-set.ts';
import type { Option } from './option.ts';
import { parseValue } from './parse-value.ts';

/** The typed values of all keys, and what is wrong with the given ones. */
export interface ReadValues<K extends string = OptionKey, V = OptionValues> {
  /** Complete: a key with a mistake has its default. */
  readonly values: V;
  readonly notices: readonly Notice[];
  readonly mistakes: readonly ConfigMistake[];
  /** Where a key was given, for messages. */
  readonly whereOf: (key: K) => string | undefined;
}

/** Reads each given value by its option's type and fills in the defaults. */
export function readValues(given: GivenValues, confPath?: string): ReadValues {
  return readValuesOf(collectorOptions, given, confPath);
}

/** The same for any set of keys. */
export function readValuesOf<T extends Readonly<Record<string, Option>>>(
  keys: OptionSet<T>,
  given: GivenValues<keyof T & string>,
  confPath?: string,
): ReadValues<keyof T & string, ValuesOf<T>> {
  const values: Record<string, unknown> = {};
  const mistakes: ConfigMistake[] = [];
  // Ignored keys with a value that somebody chose, and those that stand as they were shipped.
  const chosen = new ReasonedKeys();
  const asShipped = new ReasonedKeys();
  for (const key of keys.keys) {
    const option = keys.optionOf(key);
    values[key] = option.default;
    const value = given.values.get(key);
    if (value === undefined) continue;
    const parsed = parseValue(option, value.text, confPath);
    if ('allowed' in parsed) {
      mistakes.push(notAllowed(option, value, parsed.allowed));
      continue;
    }
    values[key] = parsed.value;
    const missing = missingFeature(option, parsed.value);
    if (missing !== undefined) mistakes.push(notBuilt(option, value, missing));
    else if (option.ignored !== undefined) {
      const group = isAsShipped(option, parsed.value) ? asShipped : chosen;
      group.add(value.writtenAs, option.ignored);
    }
  }
  const notices: Notice[] = [];
  if (chosen.size > 0) notices.push({ level: 'info', text: `Keys without effect: ${chosen.text}` });
  if (asShipped.size > 0) {
    notices.push({ level: 'debug', text: `Keys without effect, with their usual value: ${asShipped.text}` });
  }
  assert(keys.isComplete(values), 'a key of the option table has no value');
  return {
    values,
    notices,
    mistakes,
    whereOf: (key) => given.values.get(key)?.where,
  };
}

/** Keys, grouped by the reason that they share. */
class ReasonedKeys {
  readonly #keysOf = new Map<string, string[]>();

  get size(): number {
    return this.#keysOf.size;
  }

  add(key: string, reason: string): void {
    this.#keysOf.set(reason, [...(this.#keysOf.get(reason) ?? []), key]);
  }

  /** `a, b (reason); c (reason)` */
  get text(): string {
    return [...this.#keysOf].map(([reason, keys]) => `${keys.join(', ')} (${reason})`).join('; ');
  }
}

function isAsShipped(option: Option, value: unknown): boolean {
  const text = String(value);
  return text === String(option.default) || text === option.shipped;
}

/** The feature that a value needs and that is not built yet. */
export function missingFeature(option: Option, value: unknown): string | undefined {
  const needs = option.notBuilt;
  if (needs === undefined) return undefined;
  const text = String(value);
  return needs[text] ?? (text === '' ? undefined : needs['*']);
}

function notAllowed(option: Option, value: GivenValue, allowed: string): ConfigMistake {
  const shown = shownValue(option, value.text);
  return {
    kind: 'parse',
    key: value.key,
    where: value.where,
    text: `${value.writtenAs} = ${shown} is not allowed`,
    hint: `it takes ${allowed}`,
  };
}

function notBuilt(option: Option, value: GivenValue, feature: string): ConfigMistake {
  const text = `${value.writtenAs} = ${shownValue(option, value.text)} needs ${feature}, which is not built yet`;
  return {
    kind: 'check',
    key: value.key,
    where: value.where,
    text,
    hint: 'remove the line or choose another value',
  };
}
