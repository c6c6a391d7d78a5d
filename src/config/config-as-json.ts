import type { Config } from './config.ts';
import { shownValue } from './given-value.ts';
import { optionKeys, optionOf } from './option-table.ts';

/**
 * The configuration as MongoShake's REST page /conf shows it: Go's field names (the ones that MongoShake's users
 * show in public logs; others are formed by the same pattern), passwords replaced by `***`. Keys of ours follow
 * under their names in the file.
 */
export function configAsMongoShakeJson(config: Config): Record<string, unknown> {
  const shown: Record<string, unknown> = {};
  const own: Record<string, unknown> = {};
  for (const key of optionKeys) {
    const option = optionOf(key);
    const value: unknown = config.values[key];
    if (option.goName === undefined) own[key] = masked(value);
    else shown[option.goName] = masked(value);

    function masked(part: unknown): unknown {
      if (Array.isArray(part)) return part.map(masked);
      return typeof part === 'string' && part !== '' ? shownValue(option, part) : part;
    }
  }
  return { ...shown, ...own };
}
