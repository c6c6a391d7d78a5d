import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestbedError } from './testbed-error.ts';

/**
 * The watchdog: a shell that reads `+pid` and `-pid` lines. When this process ends, in whatever way, its standard
 * input closes; it then kills every process group still noted and removes the folder of this process.
 */
const watchdogScript = `
trap '' INT TERM HUP
pids=
keep=
while IFS= read -r line; do
  case $line in
    +*) pids="$pids \${line#+}" ;;
    -*) left=; for p in $pids; do [ "$p" = "\${line#-}" ] || left="$left $p"; done; pids=$left ;;
    keep) keep=yes ;;
  esac
done
for p in $pids; do kill -KILL -"$p" 2>/dev/null; done
for try in 1 2 3 4 5 6 7 8 9 10; do
  alive=; for p in $pids; do kill -0 -"$p" 2>/dev/null && alive=yes; done
  [ -z "$alive" ] && break; sleep 0.1
done
[ -n "$keep" ] || rm -rf "$1"
`;

interface Watchdog {
  readonly folder: string;
  readonly input: Socket;
}

let started: Watchdog | undefined;

function watchdog(): Watchdog {
  if (started !== undefined) return started;
  const folder = mkdtempSync(join(tmpdir(), 'oplogue-'));
  const child = spawn('/bin/sh', ['-c', watchdogScript, 'oplogue-watchdog', folder], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  const input = child.stdin;
  if (!(input instanceof Socket)) throw new TestbedError('The watchdog has no standard input');
  input.on('error', () => undefined);
  input.unref();
  child.unref();
  started = { folder, input };
  return started;
}

/**
 * Starts a process in a group of its own that does not outlive this one: not after a normal end, an exception,
 * Ctrl-C, nor `kill -9`. Ctrl-C on the terminal does not reach it: its owner stops it.
 */
export function spawnGuarded(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const { input } = watchdog();
  const child = spawn(command, args, { ...options, detached: true });
  const pid = child.pid;
  if (pid !== undefined) {
    input.write(`+${pid}\n`);
    child.once('exit', () => input.write(`-${pid}\n`));
  }
  return child;
}

/** A new private folder, removed when this process ends. */
export function makeTempFolder(prefix: string): string {
  return mkdtempSync(join(watchdog().folder, `${prefix}-`));
}

/** The folders of this process stay after its end, for a look at them. */
export function keepTempFolders(): string {
  const { folder, input } = watchdog();
  input.write('keep\n');
  return folder;
}
