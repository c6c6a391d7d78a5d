const bars = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/** Values as a line of small bars, the largest as the highest. */
export function sparkline(values: readonly number[]): string {
  const max = Math.max(1, ...values);
  return values
    .map((value) => bars[Math.round((Math.max(0, value) / max) * (bars.length - 1))] ?? '')
    .join('');
}
