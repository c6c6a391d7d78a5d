/** What {@link writeJsonString} does with a byte: copy it, or one of these, or write `\` and the value itself. */
export const EscapeAction = {
  copy: 0,
  /** `\u00xx`. */
  unicode: 1,
  /** A byte >= 0x80: the start of a UTF-8 sequence, or invalid. */
  nonAscii: 2,
} as const;

function escapeTable(options: { html: boolean }): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(EscapeAction.unicode, 0, 0x20);
  table.fill(EscapeAction.nonAscii, 0x80);
  const short = 'n\nr\rt\tb\bf\f';
  for (let i = 0; i < short.length; i += 2) table[short.charCodeAt(i + 1)] = short.charCodeAt(i);
  for (const c of '"\\') table[c.charCodeAt(0)] = c.charCodeAt(0);
  if (options.html) for (const c of '<>&') table[c.charCodeAt(0)] = EscapeAction.unicode;
  return table;
}

/**
 * The escapes of MongoShake's texts: as little as JSON asks for, and `<`, `>`, `&`. Its default text, Go's encoding/json,
 * writes U+0008 and U+000C as `\b` and `\f` when built with Go 1.22 or newer, as here, and as `\u0008` and `\u000c` before.
 */
export const HTML_ESCAPES = escapeTable({ html: true });

/** As little as JSON asks for. */
export const MINIMAL_ESCAPES = escapeTable({ html: false });
