import { setFlagsFromString } from 'node:v8';

/** Up to three times what was alive after the last full collection; V8 itself chooses between 1.1 and 4. */
const HEAP_GROWING_PERCENT = 200;

/**
 * Keeps V8 from collecting the whole heap every few megabytes. Buffers count as growth of the heap (docs/performance.md, garbage
 * collection), and hundreds of megabytes of them come and go each second beside a heap of 25 MB: a dozen full collections a second,
 * a third of all CPU, that free next to nothing. Young buffers are freed by the small collections, every 32 MB of them.
 */
export function letHeapGrow(): void {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT}`);
}
