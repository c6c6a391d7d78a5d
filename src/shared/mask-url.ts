const mask = '***';

// A URL ends at white space, a quote, an angle bracket, or where the next URL begins.
const urlPattern = /([a-z][a-z0-9+.-]*:\/\/)((?:(?![a-z][a-z0-9+.-]*:\/\/)[^\s"'<>`])*)/gi;

/**
 * Replaces the password of every URL in a text: `mongodb://user:secret@host` becomes
 * `mongodb://user:***@host`. Passwords may hold `@`, `:` and, for mongodb URLs, `/`, although a valid URL
 * encodes them: the text may be a wrong URL in an error message. Several URLs and several hosts are fine.
 */
export function maskUrl(text: string): string {
  return text.replace(urlPattern, (url, scheme: string, rest: string) => {
    const end = /^mongodb/i.test(scheme) ? rest.length : rest.search(/[/?#]|$/);
    const at = rest.lastIndexOf('@', end - 1);
    const colon = rest.indexOf(':');
    if (at < 0 || colon < 0 || colon > at) return url;
    return `${scheme}${rest.slice(0, colon)}:${mask}${rest.slice(at)}`;
  });
}

// user@password after the key of Kafka's login, as it stands in a configuration line.
const saslPattern = /(sasl\.auth["']?\s*[=:]\s*["']?[^\s@"']*@)[^\s"']+/gi;
// password = x, "password":"x", passwd: x, and the like.
const passwordPattern =
  /((?:password|passwd|pwd|secret|authMechanismProperties)["']?\s*[=:]\s*["']?)[^\s"',;}&]+/gi;

/**
 * Hides whatever looks like a secret in a text: passwords in URLs, Kafka logins, `password = ...`, and each
 * of `known`, the secrets that are known word for word.
 */
export function maskSecrets(text: string, known: readonly string[] = []): string {
  let masked = text;
  for (const secret of known) if (secret !== '') masked = masked.replaceAll(secret, mask);
  return maskUrl(masked).replace(saslPattern, `$1${mask}`).replace(passwordPattern, `$1${mask}`);
}
