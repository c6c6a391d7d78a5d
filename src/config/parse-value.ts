import type { NumberOption, Option } from './option.ts';
import { listItems } from './conf-file.ts';

/** A value, or what is allowed instead. */
export type Parsed =
  { readonly value: string | number | boolean | readonly string[] } | { readonly allowed: string };

const goTrue = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const goFalse = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

const byteSuffixes: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  kb: 1000,
  mb: 1000 ** 2,
  gb: 1000 ** 3,
};

const durationSuffixesMs: Readonly<Record<string, number>> = {
  '': 1,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/**
 * Reads the text of a value by the type of its option: booleans as Go does, whole numbers in base 10 where
 * nothing at all is not a number, dates as `2006-01-02T15:04:05Z`.
 * @param confPath the configuration file, beside which `@@name` files lie.
 */
export function parseValue(option: Option, text: string, confPath?: string): Parsed {
  switch (option.type) {
    case 'string':
      // As in MongoShake, nothing at all means the default for text, and is a mistake for everything else.
      if (text === '') return { value: option.default };
      return option.allowed === undefined || option.allowed.includes(text)
        ? { value: text }
        : { allowed: `one of ${option.allowed.map((word) => (word === '' ? '(empty)' : word)).join(', ')}` };
    case 'bool':
      if (goTrue.has(text)) return { value: true };
      return goFalse.has(text) ? { value: false } : { allowed: 'true or false' };
    case 'date':
      return parseDate(text);
    case 'list':
      return parseList(text, confPath);
    default:
      return parseNumber(option, text);
  }
}

function parseList(text: string, confPath: string | undefined): Parsed {
  try {
    return { value: listItems(text, confPath) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { allowed: `@@ and the name of a file beside the configuration file; ${reason}` };
  }
}

// Positions at or before the first second mean "from the beginning": MongoShake makes them 1.
function parseDate(text: string): Parsed {
  const allowed = 'a UTC date and time such as 2026-11-23T18:00:00Z';
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text)) return { allowed };
  const milliseconds = Date.parse(text);
  // Date.parse makes the 30th of February the 2nd of March; Go refuses it.
  const real =
    Number.isFinite(milliseconds) && new Date(milliseconds).toISOString().startsWith(text.slice(0, 19));
  return real ? { value: Math.max(1, milliseconds / 1000) } : { allowed };
}

function parseNumber(option: NumberOption, text: string): Parsed {
  const allowed = describeNumber(option);
  const match = /^([+-]?\d+)\s*([a-z]*)$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return { allowed };
  const factor = suffixesOf(option)[match[2].toLowerCase()];
  if (factor === undefined) return { allowed };
  const value = Number(match[1]) * factor;
  if (!Number.isSafeInteger(value)) return { allowed };
  if (option.meansDefault !== undefined && value === 0) return { value: option.default };
  if (option.meansDefault === 'zero and below' && value < 0) return { value: option.default };
  if (value < (option.min ?? -Infinity) || value > (option.max ?? Infinity)) return { allowed };
  return { value };
}

function suffixesOf(option: NumberOption): Readonly<Record<string, number>> {
  if (option.type === 'bytes') return byteSuffixes;
  return option.type === 'duration' ? durationSuffixesMs : { '': 1 };
}

/** What a number option takes, for messages and documentation. */
export function describeNumber(option: NumberOption): string {
  const kinds = {
    int: 'a whole number',
    bytes: 'a number of bytes such as 64MiB',
    duration: 'a duration such as 500ms, 30s, 10m or 2h',
  };
  const low = option.min ?? (option.meansDefault === undefined ? undefined : 1);
  const unit = option.unit === undefined ? '' : ` of ${option.unit}`;
  const kind = kinds[option.type] + unit;
  if (low !== undefined && option.max !== undefined) return `${kind} in the range [${low}, ${option.max}]`;
  if (low !== undefined) return `${kind}, ${low} or more`;
  return option.max === undefined ? kind : `${kind}, ${option.max} or less`;
}
