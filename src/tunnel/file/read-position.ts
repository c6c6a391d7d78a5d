import { open, readFile, rename } from 'node:fs/promises';
import { FileTunnelError } from './file-tunnel-error.ts';
import { codeOf } from './numbered-file.ts';

/** How far a file and its numbered parts have been read and dealt with. */
export interface ReadPosition {
  /** Number of the part. */
  readonly part: number;
  /** Bytes of it. */
  readonly offset: number;
  /** Hex of the bytes just before it: shows whether it is still the same file. */
  readonly tail: string;
}

/** @returns undefined when nothing has been saved. @throws FileTunnelError when it cannot be read */
export async function loadReadPosition(path: string): Promise<ReadPosition | undefined> {
  try {
    const { part, offset, tail }: Partial<ReadPosition> = JSON.parse(await readFile(path, 'utf8'));
    if (!Number.isSafeInteger(part) || !Number.isSafeInteger(offset) || typeof tail !== 'string') {
      throw new TypeError('it is not a position');
    }
    return { part: Number(part), offset: Number(offset), tail };
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined;
    throw new FileTunnelError({
      message: `The position in ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'mend it, or remove it to read tunnel.address from its beginning',
      cause,
    });
  }
}

/** Replaces what was saved, in one step, and resolves when it is on disk. */
export async function saveReadPosition(path: string, position: ReadPosition): Promise<void> {
  const next = `${path}.new`;
  const file = await open(next, 'w', 0o640);
  try {
    await file.writeFile(`${JSON.stringify(position)}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(next, path);
}
