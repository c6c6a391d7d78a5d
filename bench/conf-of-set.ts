/** The lines of collector.conf that `--set KEY=VALUE` gives, by key. */
export function confOfSet(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => line.split(/=(.*)/, 2)));
}
