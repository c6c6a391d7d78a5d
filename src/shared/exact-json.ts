const numberOrString = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const bigMark = '\u0000big:';

/**
 * JSON.parse that makes a bigint of each integer which a number cannot hold exactly (64-bit positions).
 * @throws SyntaxError as JSON.parse.
 */
export function parseExactJson(text: string): unknown {
  const marked = text.replace(numberOrString, (token) =>
    /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"\\u0000big:${token}"` : token,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(bigMark) ? BigInt(value.slice(bigMark.length)) : value,
  );
}

/** JSON.stringify that writes a bigint as a JSON number, all digits kept. */
export function stringifyExactJson(value: unknown): string {
  const text = JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'bigint' ? `${bigMark}${part}` : part,
  );
  return text.replace(/"\\u0000big:(-?\d+)"/g, '$1');
}
