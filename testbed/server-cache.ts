import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { sleep } from '../src/shared/sleep.ts';

/** Where fetched servers are kept: `$XDG_CACHE_HOME/oplogue`, by default `~/.cache/oplogue`. */
export function cacheFolder(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'oplogue');
}

/**
 * The folder `name` of the cache; when it is not there yet, `fetch` fills a staging folder that takes the name only
 * when complete and verified. Of two processes that ask at once, one fetches and the other waits.
 * @throws whatever `fetch` throws; the cache is then as before.
 */
export async function fetchOnce(name: string, fetch: (staging: string) => Promise<void>): Promise<string> {
  const target = join(cacheFolder(), name);
  if (existsSync(target)) return target;
  mkdirSync(cacheFolder(), { recursive: true });
  const lock = `${target}.lock`;
  while (!takeLock(lock)) {
    await sleep(200);
    if (existsSync(target)) return target;
  }
  const staging = `${target}.part`;
  try {
    if (existsSync(target)) return target;
    rmSync(staging, { recursive: true, force: true });
    mkdirSync(staging);
    await fetch(staging);
    renameSync(staging, target);
    return target;
  } finally {
    rmSync(staging, { recursive: true, force: true });
    rmSync(lock, { force: true });
  }
}

/** True when the lock is now ours. A lock whose owner is dead is taken away. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch {
    if (!ownerLives(lock)) rmSync(lock, { force: true });
    return false;
  }
}

function ownerLives(lock: string): boolean {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // An empty lock was created this instant: its owner is about to write its id.
    if (pid > 0) process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
