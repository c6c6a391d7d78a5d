const hostList = /^[^\s:/?#@,]+(:\d{1,5})?(,[^\s:/?#@,]+(:\d{1,5})?)*$/;

/**
 * A MongoDB URL whose user name and password are percent-encoded where they must be: MongoShake 2.8.7 takes
 * `mongodb://user:p@ss/word@host`, which the driver refuses. A URL that is fine is returned unchanged.
 */
export function encodeMongoUrl(url: string): string {
  const match = /^(mongodb(?:\+srv)?:\/\/)(.*)$/i.exec(url);
  if (match?.[1] === undefined || match[2] === undefined) return url;
  const [, scheme, rest] = match;
  const authority = rest.slice(0, rest.search(/[/?]|$/));
  const beforeOptions = rest.slice(0, rest.search(/[?]|$/));
  const ats = beforeOptions.split('@').length - 1;
  const fine = ats === 0 ? hostList.test(authority) : ats === 1 && authority.includes('@');
  if (fine || !rest.includes('@')) return url;
  // No database name holds an @, so the last one before the options divides the login from the hosts.
  const at = (ats === 0 ? rest : beforeOptions).lastIndexOf('@');
  const user = rest.slice(0, at);
  const colon = user.indexOf(':');
  const encoded =
    colon < 0 ? encodePart(user) : `${encodePart(user.slice(0, colon))}:${encodePart(user.slice(colon + 1))}`;
  return scheme + encoded + rest.slice(at);
}

// What is encoded already stays as it is.
function encodePart(text: string): string {
  return text.replace(/[@/:?#[\]\s]|%(?![0-9a-f]{2})/gi, (character) => encodeURIComponent(character));
}
