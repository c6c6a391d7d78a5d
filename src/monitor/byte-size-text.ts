const units = ['B', 'KB', 'MB', 'GB', 'TB', 'PB'] as const;

/** A size as MongoShake prints it: `1.23KB`; the next unit is taken above 1024, not at it. */
export function byteSizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value > 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${units[unit]}`;
}
