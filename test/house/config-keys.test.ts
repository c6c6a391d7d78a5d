import { expect, test } from 'vitest';
import { collectorOptions } from '../../src/config/option-table.ts';
import { receiverOptions } from '../../src/config/receiver-option-table.ts';
import type { OptionSet } from '../../src/config/option-set.ts';
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

const builders = sourceFiles(['src/config']).filter(({ path }) =>
  /\/(build-config|load-receiver-config|log-config|[a-z-]+-of)\.ts$/.test(path),
);

const files: ReadonlyArray<[string, OptionSet]> = [
  ['collector.conf', collectorOptions],
  ['receiver.conf', receiverOptions],
];

test.each(files)(
  'every key of %s has an effect, or is refused, or says that it has none',
  (file, options) => {
    const other = file === 'receiver.conf' ? '/build-config.ts' : '/load-receiver-config.ts';
    const text = builders
      .filter(({ path }) => !path.endsWith(other))
      .map((source) => source.text)
      .join('\n');
    const silent = options.keys.filter((key) => {
      const option = options.optionOf(key);
      if (option.ignored !== undefined || readByTheChecks.has(key) || hasOneValueOnly(option)) return false;
      return (
        !text.includes(`values['${key}']`) &&
        !text.includes(`'${key}':`) &&
        !new RegExp(`values\\.${key}\\b`).test(text)
      );
    });
    expect(silent).toEqual([]);
  },
);

test('every part of the configuration is used outside of its room', () => {
  const fields = sourceFiles(['src/config'])
    .filter(({ path }) => /\/(receiver-)?config\.ts$/.test(path))
    .flatMap(({ text }) => [...text.matchAll(/^\s+readonly (\w+):/gm)]);
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
