import { oldKeys, oldValues, removedKeys } from './old-key.ts';
import { OptionSet, type ValuesOf } from './option-set.ts';
import { directOptions } from './option-table-direct.ts';
import { processOptions } from './option-table-process.ts';
import { sourceOptions } from './option-table-source.ts';
import { tunnelOptions } from './option-table-tunnel.ts';
import type { Option } from './option.ts';

/**
 * Every key of the configuration. It is the one source of the parser, of conf/collector.conf and of
 * docs/configuration.md. MongoShake's keys, defaults and meanings are those of its 2.8.4 documentation
 * and behaviour; those marked 2.8.7 follow its public pull requests #820 and
 * #936 and, in their later spelling, the collector.conf that a user posted in its issue #992.
 */
export const optionTable = { ...processOptions, ...sourceOptions, ...tunnelOptions, ...directOptions };

/** The name of a key. */
export type OptionKey = keyof typeof optionTable;

/** A value for every key, each of its own type. */
export type OptionValues = ValuesOf<typeof optionTable>;

/** The keys of collector.conf. */
export const collectorOptions = new OptionSet<typeof optionTable>({
  table: optionTable,
  former: { oldKeys, oldValues, removedKeys },
  page: 'docs/configuration.md',
});

/** All keys, in the order of the table. */
export const optionKeys: readonly OptionKey[] = collectorOptions.keys;

/** The row of a key. */
export function optionOf(key: OptionKey): Option {
  return optionTable[key];
}
