/** A string (passed over whole) or a number of a JSON text. */
const STRING_OR_NUMBER = /"(?:\\.|[^"\\])*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
const INTEGER = /^-?\d+$/;
/** Marks integers on their way through JSON.parse; no JSON string begins like this by accident. */
const MARK = '\u0000integer:';

/**
 * Parses JSON with all integers as bigint: JavaScript's numbers are exact up to 2^53 only, and positions are larger.
 * @throws SyntaxError
 */
export function parseExactJson(text: string): unknown {
  const marked = text.replace(STRING_OR_NUMBER, (token) =>
    INTEGER.test(token) ? JSON.stringify(MARK + token) : token,
  );
  return JSON.parse(marked, (_key, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? BigInt(value.slice(MARK.length)) : value,
  );
}

/** Prints a flat object as JSON, bigints as plain numbers. */
export function printExactJson(object: Readonly<Record<string, unknown>>): string {
  const fields = Object.entries(object).map(
    ([key, value]) =>
      `${JSON.stringify(key)}:${typeof value === 'bigint' ? value.toString() : JSON.stringify(value)}`,
  );
  return `{${fields.join(',')}}`;
}
