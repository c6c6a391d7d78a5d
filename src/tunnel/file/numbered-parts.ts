import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

const NUMBER_DIGITS = 6;
/** Bytes that follow a file's name in the names of its continuations. */
const NUMBER_SUFFIX = /^\.(\d{6,})$/;

/** Path of a part: the file itself is number 0, then come `path.000001`, `path.000002`, … */
export function partPath(path: string, number: number): string {
  return number <= 0 ? path : `${path}.${String(number).padStart(NUMBER_DIGITS, '0')}`;
}

/** The numbers of the parts that there are, ascending. */
export async function listParts(path: string): Promise<number[]> {
  const name = basename(path);
  const numbers: number[] = [];
  for (const other of await readdir(dirname(path))) {
    if (!other.startsWith(name)) continue;
    const suffix = NUMBER_SUFFIX.exec(other.slice(name.length));
    if (suffix !== null) numbers.push(Number(suffix[1]));
    else if (other === name) numbers.push(0);
  }
  return numbers.sort((a, b) => a - b);
}
