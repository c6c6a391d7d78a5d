/** What {@link writeJsonString} does with a byte: copy it, or one of these, or write `\` and the value itself. */
export const EscapeAction = {
  copy: 0,
  /** `\u00xx`. */
  unicode: 1,
  /** A byte >= 0x80: the start of a UTF-8 sequence, or invalid. */
  nonAscii: 2,
} as const;

/**
 * MongoShake's default text escapes U+0008 and U+000C as Go's encoding/json does: `\b`, `\f` since Go 1.22,
 * `\u0008`, `\u000c` before. MongoShake 2.8.4 is of April 2023, before Go 1.22.
 */
const DEFAULT_TEXT_HAS_SHORT_B_AND_F = false;

function escapeTable(options: { html: boolean; shortBAndF: boolean }): Uint8Array {
  const table = new Uint8Array(256);
  table.fill(EscapeAction.unicode, 0, 0x20);
  table.fill(EscapeAction.nonAscii, 0x80);
  const short = options.shortBAndF ? 'n\nr\rt\tb\bf\f' : 'n\nr\rt\t';
  for (let i = 0; i < short.length; i += 2) table[short.charCodeAt(i + 1)] = short.charCodeAt(i);
  for (const c of '"\\') table[c.charCodeAt(0)] = c.charCodeAt(0);
  if (options.html) for (const c of '<>&') table[c.charCodeAt(0)] = EscapeAction.unicode;
  return table;
}

/** The escapes of MongoShake's canonical Extended JSON: as little as JSON asks for, and `<`, `>`, `&`. */
export const HTML_ESCAPES = escapeTable({ html: true, shortBAndF: true });

/** The escapes of MongoShake's default text, Go's encoding/json. */
export const DEFAULT_TEXT_ESCAPES = escapeTable({ html: true, shortBAndF: DEFAULT_TEXT_HAS_SHORT_B_AND_F });

/** As little as JSON asks for. */
export const MINIMAL_ESCAPES = escapeTable({ html: false, shortBAndF: true });
