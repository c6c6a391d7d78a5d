/** Zone rules change at multiples of this since 1972 (before, at any second). */
const QUARTER_HOUR_MS = 900_000;
const RULES_ARE_REGULAR_SINCE_MS = 63_072_000_000;
/** The range of an ECMAScript Date; outside it the offset of its limit is taken. */
const DATE_LIMIT_MS = 8.64e15;
const CACHE_SLOTS = 512;
const UTC_NAMES = new Set([
  'UTC',
  'Etc/UTC',
  'Etc/UCT',
  'UCT',
  'Zulu',
  'Etc/Zulu',
  'Universal',
  'Etc/GMT',
  'GMT',
]);

/**
 * Seconds east of UTC of one time zone at any instant. UTC costs nothing; other zones are asked of ICU once
 * per quarter of an hour and cached.
 */
export class ZoneOffset {
  readonly isUtc: boolean;
  readonly #format: Intl.DateTimeFormat;
  readonly #quarters = new Float64Array(CACHE_SLOTS).fill(Number.NaN);
  readonly #offsets = new Int32Array(CACHE_SLOTS);

  /**
   * @param timeZone a name of the IANA database; by default the zone of the process.
   * @throws RangeError for a zone that is not known.
   */
  constructor(timeZone?: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      ...(timeZone === undefined ? {} : { timeZone }),
      calendar: 'gregory',
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    this.isUtc = UTC_NAMES.has(this.#format.resolvedOptions().timeZone);
  }

  /** Seconds east of UTC at `ms` since 1970. */
  at(ms: number): number {
    if (this.isUtc) return 0;
    if (ms < RULES_ARE_REGULAR_SINCE_MS) return this.#compute(ms);
    const quarter = Math.floor(ms / QUARTER_HOUR_MS);
    const slot = quarter % CACHE_SLOTS;
    if (this.#quarters[slot] !== quarter) {
      this.#offsets[slot] = this.#compute(ms);
      this.#quarters[slot] = quarter;
    }
    return this.#offsets[slot];
  }

  #compute(ms: number): number {
    const wholeSecond = Math.floor(Math.max(-DATE_LIMIT_MS, Math.min(DATE_LIMIT_MS, ms)) / 1000) * 1000;
    const local = new Date(0);
    const part: Record<string, number> = {};
    let beforeChrist = false;
    for (const { type, value } of this.#format.formatToParts(wholeSecond)) {
      if (type === 'era') beforeChrist = value.startsWith('B');
      else if (type !== 'literal') part[type] = Number(value);
    }
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
    local.setUTCFullYear(beforeChrist ? 1 - year : year, month - 1, day);
    local.setUTCHours(hour, minute, second);
    const offset = (local.getTime() - wholeSecond) / 1000;
    return Number.isNaN(offset) ? 0 : offset;
  }
}
