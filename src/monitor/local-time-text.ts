/** A time as MongoShake prints it, in the local zone: `2006-01-02 15:04:05`. */
export function localTimeText(ms: number): string {
  const time = new Date(ms);
  const date = [
    time.getFullYear().toString().padStart(4, '0'),
    two(time.getMonth() + 1),
    two(time.getDate()),
  ];
  const clock = [two(time.getHours()), two(time.getMinutes()), two(time.getSeconds())];
  return `${date.join('-')} ${clock.join(':')}`;
}

function two(value: number): string {
  return value.toString().padStart(2, '0');
}
