import { encodeMongoUrl } from './encode-mongo-url.ts';
import type { OptionSet, ValuesOf } from './option-set.ts';
import type { Option } from './option.ts';

/** Secrets shorter than this would hide half of every log line. */
const secretLengthMin = 4;

/** The passwords of a configuration, as they were given and decoded, so that logs can hide them. */
export function secretsOf<T extends Readonly<Record<string, Option>>>(
  keys: OptionSet<T>,
  values: ValuesOf<T>,
): readonly string[] {
  const secrets = new Set<string>();
  for (const key of keys.keys) {
    const kind = keys.optionOf(key).secret;
    for (const text of [values[key]].flat<unknown[]>()) {
      if (kind === 'all') secrets.add(String(text));
      if (kind === 'sasl') secrets.add(String(text).slice(String(text).indexOf('@') + 1));
      if (kind === 'url') addUrlPassword(secrets, encodeMongoUrl(String(text)));
    }
  }
  return [...secrets].filter((secret) => secret.length >= secretLengthMin);
}

function addUrlPassword(secrets: Set<string>, url: string): void {
  const password = /^[a-z][a-z0-9+.-]*:\/\/[^:@/?]*:([^@/?]*)@/i.exec(url)?.[1];
  if (password === undefined) return;
  secrets.add(password);
  try {
    secrets.add(decodeURIComponent(password));
  } catch {
    // Not percent-encoded after all; the password as it stands is known already.
  }
}
