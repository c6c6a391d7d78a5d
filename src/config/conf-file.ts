import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { ConfigMistake } from './config-error.ts';

/** A `key = value` line. */
export interface ConfLine {
  readonly key: string;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** What a configuration file says, before any key is looked at. */
export interface ConfFile {
  readonly lines: readonly ConfLine[];
  readonly mistakes: readonly ConfigMistake[];
}

const keyPattern = /^[a-zA-Z0-9_-][\w.-]*$/;

/**
 * Splits the text of a collector.conf into its lines, by MongoShake's grammar: `key = value`, split at the
 * first `=`, both sides trimmed; empty lines and lines that begin with `#` do not count; there are no comments
 * behind a value and no sections. MongoShake does not trim tabs; here they count as blanks.
 * @param name how messages call the file.
 */
export function parseConfText(text: string, name: string): ConfFile {
  if (text.includes('\0')) {
    const hint = 'save it as UTF-8 text, not as UTF-16';
    return { lines: [], mistakes: [{ kind: 'parse', where: name, text: 'this is not a text file', hint }] };
  }
  const lines: ConfLine[] = [];
  const mistakes: ConfigMistake[] = [];
  for (const [index, raw] of text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .entries()) {
    const line = index + 1;
    const trimmed = raw.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const equals = trimmed.indexOf('=');
    const key = equals < 0 ? trimmed : trimmed.slice(0, equals).trim();
    if (equals < 0) {
      mistakes.push({
        kind: 'parse',
        where: `${name}:${line}`,
        text: `the line has no "="`,
        hint: trimmed.startsWith('[')
          ? 'there are no sections; remove the line'
          : 'write key = value, or # before a comment',
      });
    } else if (keyPattern.test(key)) {
      lines.push({ key, value: trimmed.slice(equals + 1).trim(), line });
    } else {
      // What it is instead is not shown: it may be a torn line with a password.
      mistakes.push({
        kind: 'parse',
        where: `${name}:${line}`,
        text: 'what stands before "=" is not the name of a key',
        hint: 'write key = value; a value cannot go on in the next line',
      });
    }
  }
  if (lines.length === 0 && mistakes.length === 0) {
    mistakes.push({
      kind: 'parse',
      where: name,
      text: 'the configuration file is empty',
      hint: 'start from the shipped conf/collector.conf',
    });
  }
  return { lines, mistakes };
}

/** Reads and splits a configuration file; a file that cannot be read is a mistake of its own. */
export function readConfFile(path: string): ConfFile {
  try {
    return parseConfText(readFileSync(path, 'utf8'), basename(path));
  } catch (error) {
    const text = `the configuration file cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    const hint = 'give the path of an existing file with -conf=FILE';
    return { lines: [], mistakes: [{ kind: 'open', where: path, text, hint }] };
  }
}

/**
 * The items of a list value: between semicolons, trimmed, empty ones dropped. `@@name` stands for the lines of
 * the file `name` beside the configuration file, comments and blank lines dropped.
 * @throws Error when that file cannot be read.
 */
export function listItems(value: string, confPath: string | undefined): string[] {
  if (!value.startsWith('@@')) return nonEmpty(value.split(';'));
  const folder = confPath === undefined ? '.' : dirname(confPath);
  const items = nonEmpty(readFileSync(join(folder, value.slice(2).trim()), 'utf8').split('\n'));
  return items.filter((item) => !item.startsWith('#'));
}

function nonEmpty(items: readonly string[]): string[] {
  return items.map((item) => item.trim()).filter((item) => item !== '');
}
