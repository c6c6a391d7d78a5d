/**
 * The candidate that a mistyped word most likely means, or undefined when none is near: by the number of
 * letters to insert, delete, replace or swap, at most a third of the word's length. A word that is the end or
 * the beginning of exactly one candidate counts as near too (`kafka.compression`).
 */
export function nearestKey(word: string, candidates: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: string | undefined;
  let bestDistance = limit + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  if (best !== undefined) return best;
  const parts = candidates.filter((key) => key.endsWith(`.${word}`) || key.startsWith(`${word}.`));
  return parts.length === 1 ? parts[0] : undefined;
}

// Optimal string alignment, three rows.
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1] ? 0 : 1;
      let distance = Math.min(last[column] + 1, current[column - 1] + 1, last[column - 1] + same);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        distance = Math.min(distance, before[column - 2] + 1);
      }
      current.push(distance);
    }
    before = last;
    last = current;
  }
  return last[b.length];
}
