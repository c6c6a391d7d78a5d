import { maskSecrets } from '../shared/mask-url.ts';
import { stringifyExactJson } from '../shared/exact-json.ts';

/** What pino writes: time, level, message, and the fields of the call and its logger. */
export interface LogRecord {
  /** Milliseconds since 1970. */
  readonly time: number;
  /** pino's number. */
  readonly level: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

const levelNames: ReadonlyMap<number, string> = new Map([
  [20, 'DEBG'],
  [30, 'INFO'],
  [40, 'WARN'],
  [50, 'EROR'],
  [60, 'CRIT'],
]);
const jsonLevelNames: ReadonlyMap<number, string> = new Map([
  [20, 'debug'],
  [30, 'info'],
  [40, 'warning'],
  [50, 'error'],
  [60, 'critical'],
]);

/** A line in MongoShake's layout: `[2026/11/23 18:23:22 UTC] [INFO] text key=value`. */
export function textLine(record: LogRecord): string {
  const { time, level, msg = '', ...fields } = record;
  const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${valueText(value)}`);
  const text = oneRecord(msg) + pairs.join('');
  return `[${timeText(time)}] [${levelNames.get(level) ?? 'INFO'}] ${text}`;
}

/** A line that is one JSON object: time (ISO 8601), level, message, fields. */
export function jsonLine(record: LogRecord): string {
  const { time, level, msg = '', ...fields } = record;
  const head = {
    time: new Date(time).toISOString(),
    level: jsonLevelNames.get(level) ?? 'info',
    message: msg,
  };
  return stringifyExactJson({ ...head, ...fields });
}

/** A copy of a record's value without secrets, in whatever depth. */
export function withoutSecrets(value: unknown, known: readonly string[]): unknown {
  if (typeof value === 'string') return maskSecrets(value, known);
  if (Array.isArray(value)) return value.map((part) => withoutSecrets(part, known));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      name,
      isSecretName(name) && typeof part === 'string' ? '***' : withoutSecrets(part, known),
    ]),
  );
}

function isSecretName(name: string): boolean {
  return /password|passwd|secret|sasl[._]?auth$/i.test(name);
}

// A name or a value of a document must not be able to fake a line: a break is followed by an indent, and other
// control characters are shown as escapes.
function oneRecord(text: string): string {
  return text
    .replaceAll('\n', '\n    ')
    .replaceAll(/[^\P{Cc}\n]/gu, (character) => JSON.stringify(character).slice(1, -1));
}

function valueText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=\p{Cc}]+$/u.test(value)) return value;
  if (typeof value === 'string' && value.includes('\n')) return `"${oneRecord(value)}"`;
  return stringifyExactJson(value);
}

let zoneHour = -1;
let zoneName = '';

// `2026/11/23 18:23:22 UTC`. Intl knows few zone names and says GMT+8 for the rest; Go says +08 where a zone has no name.
function timeText(ms: number): string {
  const date = new Date(ms);
  const hour = Math.floor(ms / 3_600_000);
  if (hour !== zoneHour) {
    zoneHour = hour;
    zoneName = zoneOf(date);
  }
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${date.getFullYear()}/${two(date.getMonth() + 1)}/${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())} ${zoneName}`;
}

function zoneOf(date: Date): string {
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? 'UTC';
  const offset = /^GMT([+-])(\d+)(?::(\d\d))?$/.exec(name);
  return offset === null ? name : `${offset[1]}${offset[2]?.padStart(2, '0')}${offset[3] ?? ''}`;
}
