import { putTwoDigits, putUnsigned } from './write-integer.ts';

const MINUS = 0x2d;
const PLUS = 0x2b;
const COLON = 0x3a;
const DOT = 0x2e;
const ZERO = 0x30;
const LETTER_T = 0x54;
const LETTER_Z = 0x5a;

const DAY_MS = 86_400_000;
/** Days from 0000-03-01 to 1970-01-01, in the proleptic Gregorian calendar. */
const DAYS_BEFORE_EPOCH = 719_468;
const DAYS_PER_ERA = 146_097;
const YEARS_PER_ERA = 400;

export interface DateStyle {
  /** Milliseconds: `.570` always, or as RFC 3339 in Go: `.57`, and nothing for a whole second. */
  readonly trimMilliseconds: boolean;
  /** Seconds east of UTC, added to the time and written after it; 0 is written as `Z`. */
  readonly offsetSeconds: number;
}

/**
 * Writes `2020-02-21T09:25:56.57+08:00`: the wall clock at `date`, in the zone of the style. Years
 * beyond 9999 take as many digits as they need; before the year 0 they have a minus sign. At most 34 bytes.
 * @returns the offset after it.
 */
export function putDate(target: Buffer, at: number, date: SplitDate, style: DateStyle): number {
  let days = date.days;
  let ms = date.msOfDay + style.offsetSeconds * 1000;
  if (ms < 0 || ms >= DAY_MS) {
    const carry = Math.floor(ms / DAY_MS);
    days += carry;
    ms -= carry * DAY_MS;
  }
  let to = putCalendarDay(target, at, days);
  target[to++] = LETTER_T;
  to = putTimeOfDay(target, to, ms, style.trimMilliseconds);
  return putOffset(target, to, style.offsetSeconds);
}

/** Whole days since 1970-01-01 UTC and the milliseconds after them. */
export interface SplitDate {
  days: number;
  msOfDay: number;
}

/** Splits a signed 64-bit number of milliseconds, given as its two words, into `date`. */
export function splitDate(date: SplitDate, low: number, high: number): void {
  if (high >= -0x20_0000 && high < 0x20_0000) {
    const ms = high * 2 ** 32 + (low >>> 0);
    date.days = Math.floor(ms / DAY_MS);
    date.msOfDay = ms - date.days * DAY_MS;
    return;
  }
  const ms = (BigInt(high) << 32n) | BigInt(low >>> 0);
  const rest = ((ms % BigInt(DAY_MS)) + BigInt(DAY_MS)) % BigInt(DAY_MS);
  date.days = Number((ms - rest) / BigInt(DAY_MS));
  date.msOfDay = Number(rest);
}

/** Howard Hinnant's civil_from_days (howardhinnant.github.io/date_algorithms.html). */
function putCalendarDay(target: Buffer, at: number, days: number): number {
  const shifted = days + DAYS_BEFORE_EPOCH;
  const era = Math.floor(shifted / DAYS_PER_ERA);
  const dayOfEra = (shifted - era * DAYS_PER_ERA) | 0;
  const yearOfEra =
    ((dayOfEra -
      ((dayOfEra / 1460) | 0) +
      ((dayOfEra / 36_524) | 0) -
      ((dayOfEra / (DAYS_PER_ERA - 1)) | 0)) /
      365) |
    0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0));
  const marchMonth = ((5 * dayOfYear + 2) / 153) | 0;
  const day = dayOfYear - (((153 * marchMonth + 2) / 5) | 0) + 1;
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  let to = putYear(target, at, era * YEARS_PER_ERA + yearOfEra + (month <= 2 ? 1 : 0));
  target[to++] = MINUS;
  to = putTwoDigits(target, to, month);
  target[to++] = MINUS;
  return putTwoDigits(target, to, day);
}

function putYear(target: Buffer, at: number, year: number): number {
  if (year < 0) {
    target[at] = MINUS;
    return putYear(target, at + 1, -year);
  }
  if (year > 9999) return putUnsigned(target, at, year);
  const century = (year / 100) | 0;
  return putTwoDigits(target, putTwoDigits(target, at, century), year - century * 100);
}

function putTimeOfDay(target: Buffer, at: number, msOfDay: number, trim: boolean): number {
  const seconds = (msOfDay / 1000) | 0;
  const ms = msOfDay - seconds * 1000;
  const minutes = (seconds / 60) | 0;
  const hours = (minutes / 60) | 0;
  let to = putTwoDigits(target, at, hours);
  target[to++] = COLON;
  to = putTwoDigits(target, to, minutes - hours * 60);
  target[to++] = COLON;
  to = putTwoDigits(target, to, seconds - minutes * 60);
  if (trim && ms === 0) return to;
  target[to++] = DOT;
  const tens = (ms / 10) | 0;
  to = putTwoDigits(target, to, tens);
  target[to++] = ZERO + (ms - tens * 10);
  if (!trim) return to;
  while (target[to - 1] === ZERO) to--;
  return to;
}

/** `Z`, or `+08:00`; seconds of an offset are cut, as Go does. */
function putOffset(target: Buffer, at: number, offsetSeconds: number): number {
  if (offsetSeconds === 0) {
    target[at] = LETTER_Z;
    return at + 1;
  }
  target[at] = offsetSeconds < 0 ? MINUS : PLUS;
  const minutes = (Math.abs(offsetSeconds) / 60) | 0;
  const hours = (minutes / 60) | 0;
  const to = putTwoDigits(target, at + 1, hours);
  target[to] = COLON;
  return putTwoDigits(target, to + 1, minutes - hours * 60);
}
