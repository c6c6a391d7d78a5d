import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder of package.json: this code runs from the sources under vitest and from dist-testbed elsewhere. */
export function projectRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
