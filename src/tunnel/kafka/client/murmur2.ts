const SEED = 0x9747b28c | 0;
const M = 0x5bd1e995;
const R = 24;

/** The 32-bit murmur2 of `bytes[start, end)` with the seed of Kafka's Java clients; signed. */
export function murmur2(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  let hash = SEED ^ length;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    let k = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    k = Math.imul(k, M);
    k ^= k >>> R;
    k = Math.imul(k, M);
    hash = Math.imul(hash, M) ^ k;
  }
  const left = end - at;
  if (left > 0) {
    if (left === 3) hash ^= bytes[at + 2] << 16;
    if (left >= 2) hash ^= bytes[at + 1] << 8;
    hash = Math.imul(hash ^ bytes[at], M);
  }
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}

/** The partition that Kafka's Java producer chooses for a key: `toPositive(murmur2(key)) % partitions`. */
export function partitionOfKey(bytes: Uint8Array, length: number, partitions: number): number {
  return (murmur2(bytes, 0, length) & 0x7fff_ffff) % partitions;
}
