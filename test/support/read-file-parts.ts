import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The contents of a file and its numbered continuations, in order. */
export function readFileParts(path: string): Buffer[] {
  const name = basename(path);
  const folder = dirname(path);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((other) => other === name || /^\.\d{6,}$/.test(other.slice(name.length)))
    .toSorted()
    .map((other) => readFileSync(join(folder, other)));
}
