import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { PidFileError } from './pid-file-error.ts';

/** The kernel counts the time since boot in hundredths of a second on every Linux that Node.js supports. */
const ticksPerSecond = 100;
/** A process that began so much later than a pid file was written did not write it. */
const startToleranceMs = 2000;
const attemptsMax = 10;

/**
 * The file `<log.dir or working folder>/<id>.pid` that keeps a second collector with the same id from starting. It holds
 * the process id and a newline, as MongoShake's. A file whose process is gone is replaced.
 */
export class PidFile implements Disposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /** Takes the file. @throws PidFileError when another live process holds it, or it cannot be written. */
  static acquire(options: { id: string; dir: string }): PidFile {
    const folder = resolve(options.dir === '' ? '.' : options.dir);
    const path = join(folder, `${options.id}.pid`);
    try {
      mkdirSync(folder, { recursive: true });
      take(path);
      return new PidFile(path);
    } catch (error) {
      throw error instanceof PidFileError ? error : new PidFileError({ path, pid: undefined, cause: error });
    }
  }

  /** Removes the file if it is still ours. */
  [Symbol.dispose](): void {
    if (readPid(this.path) === process.pid) rmSync(this.path, { force: true });
  }
}

// A hard link appears with its content in one step, and fails when the name is taken.
function take(path: string): void {
  const own = `${path}.${process.pid}`;
  writeFileSync(own, `${process.pid}\n`);
  try {
    for (let attempt = 1; !tryLink(own, path); attempt += 1) {
      const pid = readPid(path);
      if (pid !== undefined && (isHolder(pid, path) || attempt === attemptsMax))
        throw new PidFileError({ path, pid });
      removeStale(path, pid);
    }
  } finally {
    rmSync(own, { force: true });
  }
}

function tryLink(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

// Renamed before it is removed: had another process replaced it just now, its file is put back.
function removeStale(path: string, pid: number | undefined): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return; // Somebody else has removed it.
  }
  // If the name is taken again by now, whoever has it decides.
  if (readPid(aside) !== pid) tryLink(aside, path);
  rmSync(aside, { force: true });
}

function readPid(path: string): number | undefined {
  try {
    const text = readFileSync(path, 'utf8').trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
  } catch {
    return undefined;
  }
}

// In a container every run has the same pid, so our own in the file is a former run's.
function isHolder(pid: number, path: string): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const startedMs = processStartMs(pid);
  return startedMs === undefined || startedMs <= modifiedMs(path) + startToleranceMs;
}

function modifiedMs(path: string): number {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return Date.now();
  }
}

// After a reboot the pid may belong to any other program; on Linux its start time tells. Field 22 of
// /proc/<pid>/stat (see proc(5)); the second field is a name in parentheses that may hold anything.
function processStartMs(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const ticks = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]);
    const boot = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
    const startedMs = (boot + ticks / ticksPerSecond) * 1000;
    return Number.isFinite(startedMs) ? startedMs : undefined;
  } catch {
    return undefined;
  }
}
