import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exitCode, exitCodeOf } from './exit-code.ts';
import { PidFileError } from './pid-file-error.ts';
import { PidFile } from './pid-file.ts';

let dir: string;
let path: string;
let other: ChildProcess | undefined;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'oplogue-pid-'));
  path = join(dir, 'job.pid');
});

afterEach(() => {
  other?.kill('SIGKILL');
  other = undefined;
  rmSync(dir, { recursive: true, force: true });
});

function startOther(): number {
  other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' });
  return other.pid ?? 0;
}

test('holds the pid and a newline, and is gone after a clean end', () => {
  const file = PidFile.acquire({ id: 'job', dir });
  expect(file.path).toBe(path);
  expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
  file[Symbol.dispose]();
  expect(readdirSync(dir)).toEqual([]);
});

test('makes the folder', () => {
  const nested = join(dir, 'a', 'b');
  PidFile.acquire({ id: 'job', dir: nested });
  expect(readdirSync(nested)).toEqual(['job.pid']);
});

test('a live process with the same id is an error that names it', () => {
  const pid = startOther();
  writeFileSync(path, `${pid}\n`);
  const acquire = (): unknown => PidFile.acquire({ id: 'job', dir });
  expect(acquire).toThrow(PidFileError);
  expect(acquire).toThrow(`Process ${pid} runs with the same id`);
  expect(readFileSync(path, 'utf8')).toBe(`${pid}\n`);
  expect(readdirSync(dir)).toEqual(['job.pid']);
});

test('the file of a process that is gone is replaced', async () => {
  const pid = startOther();
  writeFileSync(path, `${pid}\n`);
  other?.kill('SIGKILL');
  if (other !== undefined) await once(other, 'exit');
  using file = PidFile.acquire({ id: 'job', dir });
  expect(readFileSync(file.path, 'utf8')).toBe(`${process.pid}\n`);
});

// Only Linux tells when a process began.
test.each(['linux'].filter((name) => name === process.platform))(
  'on %s, a pid that the system gave to another program since is replaced',
  () => {
    writeFileSync(path, `${startOther()}\n`);
    const hourAgo = Date.now() / 1000 - 3600;
    utimesSync(path, hourAgo, hourAgo);
    using file = PidFile.acquire({ id: 'job', dir });
    expect(readFileSync(file.path, 'utf8')).toBe(`${process.pid}\n`);
  },
);

test.each(['', 'garbage', '0', '-1'])('a file that holds "%s" is replaced', (text) => {
  writeFileSync(path, text);
  using file = PidFile.acquire({ id: 'job', dir });
  expect(readFileSync(file.path, 'utf8')).toBe(`${process.pid}\n`);
});

test('a file that somebody else has taken over is left alone at the end', () => {
  const file = PidFile.acquire({ id: 'job', dir });
  writeFileSync(path, '1\n');
  file[Symbol.dispose]();
  expect(existsSync(path)).toBe(true);
});

test('a folder that cannot be written is an error of its own', () => {
  writeFileSync(path, 'a file, not a folder');
  const acquire = (): unknown => PidFile.acquire({ id: 'job', dir: path });
  expect(acquire).toThrow('cannot be written');
});

test('has its own exit code', () => {
  expect(exitCodeOf(new PidFileError({ path, pid: 1 }))).toBe(exitCode.pidFileHeld);
});
