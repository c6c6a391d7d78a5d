import { basename } from 'node:path';
import { maskUrl } from '../shared/mask-url.ts';
import { buildConfig } from './build-config.ts';
import { checkConfVersion, checkRules } from './check-rules.ts';
import { ConfigError } from './config-error.ts';
import type { Config } from './config.ts';
import { encodeMongoUrl } from './encode-mongo-url.ts';
import { gatherValues, type ConfigSources } from './given-value.ts';
import type { Notice } from './notice.ts';
import type { OptionValues } from './option-table.ts';
import { readValues } from './read-values.ts';

/** A configuration that can be used, and what the user should hear about it. */
export interface LoadedConfig {
  readonly config: Config;
  readonly notices: readonly Notice[];
}

/**
 * Reads the configuration: the defaults, over them the file, the environment (`OPLOGUE_TUNNEL_ADDRESS` for
 * tunnel.address) and `--set key=value`. A configuration of MongoShake's releases before 2.4 is taken as well, with a
 * notice for each name that has changed.
 * @throws ConfigError with every mistake at once.
 */
export function loadConfig(sources: ConfigSources): LoadedConfig {
  const given = gatherValues(sources);
  const read = readValues(given, sources.file);
  const mistakes = [...given.mistakes, ...read.mistakes];
  const notices = [...given.notices, ...read.notices];
  const fileIsRead = sources.file !== undefined && !mistakes.some(({ kind }) => kind === 'open');
  if (fileIsRead && !(given.hasOldKeys && !given.values.has('conf.version'))) {
    const version = given.values.has('conf.version') ? read.values['conf.version'] : undefined;
    const mistake = checkConfVersion(version, read.whereOf('conf.version') ?? basename(sources.file ?? ''));
    if (mistake !== undefined) mistakes.unshift(mistake);
  }
  // A file that cannot be read or says nothing is one mistake, not one for each key that is missing.
  const saysNothing = sources.file !== undefined && (!fileIsRead || given.values.size === 0);
  if (!saysNothing) {
    const checked = checkRules(read);
    // A key that could not be read has its default here, which is not what the user meant: no second complaint.
    const wrongKeys = new Set(read.mistakes.map(({ key }) => key));
    mistakes.push(...checked.mistakes.filter(({ key }) => !wrongKeys.has(key)));
    notices.push(...checked.notices);
  }
  if (mistakes.length > 0) throw new ConfigError(mistakes);
  notices.push(...encodedUrlNotices(read.values));
  return { config: buildConfig(read.values), notices };
}

function encodedUrlNotices(values: OptionValues): Notice[] {
  return [...values.mongo_urls, values['checkpoint.storage.url']]
    .filter((url) => encodeMongoUrl(url) !== url)
    .map((url) => ({
      level: 'info',
      text: `The user or password in ${maskUrl(url)} holds characters that a URL must encode; they were encoded`,
    }));
}
