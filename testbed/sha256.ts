import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

/** SHA-256 of a file, in hex. */
export async function sha256OfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** One SHA-256 over the names and contents of all files of a flat folder, in hex. */
export async function sha256OfFolder(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const names = await readdir(folder);
  for (const name of names.toSorted()) hash.update(`${await sha256OfFile(join(folder, name))}  ${name}\n`);
  return hash.digest('hex');
}
