import { basename } from 'node:path';
import { maskUrl } from '../shared/mask-url.ts';
import { buildConfig } from './build-config.ts';
import { checkConfVersion, checkRules } from './check-rules.ts';
import { ConfigError, type ConfigMistake } from './config-error.ts';
import type { Config } from './config.ts';
import { encodeMongoUrl } from './encode-mongo-url.ts';
import { gatherValues, type ConfigSources, type GivenValues } from './given-value.ts';
import type { Notice } from './notice.ts';
import type { OptionValues } from './option-table.ts';
import { readValues, type ReadValues } from './read-values.ts';

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
  if (given.values.size === 0 && mistakes.length === 0) mistakes.push(nothingGiven);
  // A file that cannot be read or says nothing is one mistake, not one for each key that is missing.
  const saysNothing = given.values.size === 0 || mistakes.some(({ kind }) => kind === 'open');
  if (!saysNothing) {
    const versionMistake = sources.file === undefined ? undefined : checkVersion(given, read, sources.file);
    if (versionMistake !== undefined) mistakes.unshift(versionMistake);
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

const nothingGiven: ConfigMistake = {
  kind: 'open',
  text: 'there is no configuration',
  hint: 'give the path of a collector.conf with -conf=FILE',
};

/** MongoShake asks for a version in the file, except where its names are those of a release that had none. */
function checkVersion(given: GivenValues, read: ReadValues, file: string): ConfigMistake | undefined {
  const isGiven = given.values.has('conf.version');
  if (given.hasOldKeys && !isGiven) return undefined;
  const version = isGiven ? read.values['conf.version'] : undefined;
  return checkConfVersion(version, read.whereOf('conf.version') ?? basename(file));
}

function encodedUrlNotices(values: OptionValues): Notice[] {
  return [...values.mongo_urls, values['checkpoint.storage.url']]
    .filter((url) => encodeMongoUrl(url) !== url)
    .map((url) => ({
      level: 'info',
      text: `The user or password in ${maskUrl(url)} holds characters that a URL must encode; they were encoded`,
    }));
}
