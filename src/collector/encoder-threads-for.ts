import type { Config } from '../config/config.ts';

/** Where there are fewer cores, source, broker and we take them all with one thread each. */
const CORES_MIN = 4;
/** So many keep up with all that one thread can read. */
const THREADS_MAX = 3;

/**
 * How many threads encode messages for Kafka: `lanes.threads`, or with `auto` as many as pay: JSON, and packing, cost
 * several times what reading costs; bson and raw are only copied.
 * @param cores that this process may use
 */
export function encoderThreadsFor({ workers, tunnel }: Config, cores: number): number {
  if (workers.threads !== 'auto') return workers.threads;
  const isCopied = tunnel.message !== 'json' && tunnel.kafka?.compression === 'none';
  if (isCopied || cores < CORES_MIN) return 0;
  return Math.min(THREADS_MAX, Math.floor(cores / 2));
}
