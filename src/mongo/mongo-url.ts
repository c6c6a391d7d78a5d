/**
 * A MongoShake user's URL in the words of this driver: `connect=direct` (Go's spelling) becomes
 * `directConnection=true`, other values of `connect` are the default and go.
 */
export function normalizeMongoUrl(url: string): string {
  return changeOptions(url, (name, value) => {
    if (name.toLowerCase() !== 'connect') return `${name}=${value}`;
    return value.toLowerCase() === 'direct' ? 'directConnection=true' : undefined;
  });
}

/** The options of a URL that find members: meaningless on a direct connection to one of them. */
const DISCOVERY_OPTIONS = new Set([
  'directconnection',
  'loadbalanced',
  'replicaset',
  'srvmaxhosts',
  'srvservicename',
  'readpreference',
  'readpreferencetags',
  'maxstalenessseconds',
]);

/** The same URL (credentials, options) for exactly one member. */
export function directMongoUrl(url: string, host: string): string {
  const parts = splitMongoUrl(url);
  const direct = `mongodb://${parts.credentials}${host}/${parts.database}${parts.options}`;
  return changeOptions(direct, (name, value) =>
    DISCOVERY_OPTIONS.has(name.toLowerCase()) ? undefined : `${name}=${value}`,
  );
}

/** Whether the URL finds its members by DNS. */
export function isSrvUrl(url: string): boolean {
  return url.startsWith('mongodb+srv://');
}

interface UrlParts {
  /** `user:password@`, or empty. */
  readonly credentials: string;
  readonly database: string;
  /** `?name=value&...`, or empty. */
  readonly options: string;
}

function splitMongoUrl(url: string): UrlParts {
  const from = url.indexOf('://') + 3;
  const question = url.indexOf('?', from);
  const end = question < 0 ? url.length : question;
  const at = url.lastIndexOf('@', end);
  const hostsFrom = at < from ? from : at + 1;
  const slash = url.indexOf('/', hostsFrom);
  const hasDatabase = slash >= 0 && slash < end;
  return {
    credentials: url.slice(from, hostsFrom),
    database: hasDatabase ? url.slice(slash + 1, end) : '',
    options: url.slice(end),
  };
}

function changeOptions(url: string, change: (name: string, value: string) => string | undefined): string {
  const question = url.indexOf('?');
  if (question < 0) return url;
  const kept = url
    .slice(question + 1)
    .split('&')
    .filter((option) => option !== '')
    .map((option) => {
      const equals = option.indexOf('=');
      return equals < 0 ? option : change(option.slice(0, equals), option.slice(equals + 1));
    })
    .filter((option) => option !== undefined);
  return kept.length === 0 ? url.slice(0, question) : `${url.slice(0, question)}?${kept.join('&')}`;
}
