import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { optionKeys, optionOf } from '../../src/config/option-table.ts';
import type { Option } from '../../src/config/option.ts';
import { sourceFiles } from './source-files.ts';

/** What these say is looked at while the configuration is read, and nowhere later. */
const readByTheChecks = new Set(['conf.version', 'lanes.threads']);

/** Whether every value but the default is refused as not built. */
function hasOneValueOnly(option: Option): boolean {
  const refused = option.notBuilt ?? {};
  if ('*' in refused) return true;
  if (option.type === 'bool') return String(!option.default) in refused;
  if (option.type !== 'string' || option.allowed === undefined) return false;
  return option.allowed.filter((value) => !(value in refused)).length === 1;
}

test('every key has an effect, or is refused, or says that it has none', () => {
  const build = readFileSync('src/config/build-config.ts', 'utf8');
  const silent = optionKeys.filter((key) => {
    const option = optionOf(key);
    if (option.ignored !== undefined || readByTheChecks.has(key) || hasOneValueOnly(option)) return false;
    return !build.includes(`values['${key}']`) && !new RegExp(`values\\.${key}\\b`).test(build);
  });
  expect(silent).toEqual([]);
});

test('every part of the configuration is used outside of its room', () => {
  const fields = [...readFileSync('src/config/config.ts', 'utf8').matchAll(/^\s+readonly (\w+):/gm)];
  const users = sourceFiles(['src'])
    .filter(({ path }) => !path.startsWith('src/config/') && !path.endsWith('.test.ts'))
    .map(({ text }) => text)
    .join('\n');
  // `values` is for the room's own page of all keys.
  const unused = fields
    .map(([, name = '']) => name)
    .filter((name) => name !== 'values' && !new RegExp(`\\b${name}\\b`).test(users));
  expect(unused).toEqual([]);
});
