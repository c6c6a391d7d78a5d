import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SourceFile {
  /** Path from the project's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

const skipped = new Set(['node_modules', 'dist', 'dist-testbed', '.git', 'vectors', 'results']);

/** All files below these folders whose names end in one of `endings`. */
export function sourceFiles(folders: readonly string[], endings: readonly string[] = ['.ts']): SourceFile[] {
  return folders
    .flatMap((folder) => walk(folder, endings))
    .map((path) => ({ path, text: readFileSync(path, 'utf8') }));
}

function walk(folder: string, endings: readonly string[]): string[] {
  const found: string[] = [];
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!skipped.has(entry.name)) found.push(...walk(path, endings));
    } else if (endings.some((ending) => entry.name.endsWith(ending))) {
      found.push(path);
    }
  }
  return found;
}
