import type { Option } from './option.ts';
import { describeNumber } from './parse-value.ts';

const byteUnits = [
  { name: 'GiB', size: 1024 ** 3 },
  { name: 'MiB', size: 1024 ** 2 },
  { name: 'KiB', size: 1024 },
] as const;

const durationUnits = [
  { name: 'h', size: 3_600_000 },
  { name: 'm', size: 60_000 },
  { name: 's', size: 1000 },
  { name: 'ms', size: 1 },
] as const;

/** The default of an option as one would write it into the file; empty where nothing stands for it. */
export function defaultText(option: Option): string {
  switch (option.type) {
    case 'list':
      return option.default.join(';');
    case 'date':
      return `${new Date(option.default > 1 ? option.default * 1000 : 0).toISOString().slice(0, 19)}Z`;
    case 'bytes':
      return inUnits(option.default, byteUnits);
    case 'duration':
      return inUnits(option.default, durationUnits);
    default:
      return String(option.default);
  }
}

/** What an option takes, for documentation. */
export function allowedText(option: Option): string {
  switch (option.type) {
    case 'string':
      return option.allowed === undefined
        ? 'text'
        : option.allowed.map((word) => (word === '' ? '(empty)' : word)).join(' | ');
    case 'bool':
      return 'true | false';
    case 'date':
      return 'a UTC date and time such as 2026-11-23T18:00:00Z';
    case 'list':
      return 'items between semicolons';
    default:
      return describeNumber(option);
  }
}

// The largest unit that says the number exactly.
function inUnits(
  value: number,
  units: ReadonlyArray<{ readonly name: string; readonly size: number }>,
): string {
  const unit = units.find(({ size }) => value !== 0 && value % size === 0);
  return unit === undefined ? String(value) : `${value / unit.size}${unit.name}`;
}
