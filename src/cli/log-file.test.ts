import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { LogFile, type LogFileOptions } from './log-file.ts';

let folder: string;
let path: string;
let now: Date;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'oplogue-log-'));
  path = join(folder, 'collector.log');
  now = new Date(2026, 10, 23, 12);
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

function openLog(options: Partial<LogFileOptions> = {}): Promise<LogFile> {
  const lossLine = (lines: number, reason: string): string => `lost ${lines}: ${reason}`;
  return LogFile.open({
    path,
    bytesMax: 0,
    filesMax: 30,
    flush: false,
    lossLine,
    now: () => now,
    ...options,
  });
}

async function linesOf(name: string): Promise<string[]> {
  return (await readFile(join(folder, name), 'utf8')).trimEnd().split('\n');
}

describe('a log file', () => {
  test('holds all lines once it is closed', async () => {
    const log = await openLog();
    log.write('one');
    log.write('two');
    await log.close();
    expect(await linesOf('collector.log')).toEqual(['one', 'two']);
  });

  test('is put aside at each start, as in MongoShake, and the oldest goes', async () => {
    for (const line of ['a', 'b', 'c', 'd']) {
      const log = await openLog({ filesMax: 2 });
      log.write(line);
      await log.close();
    }
    expect((await readdir(folder)).toSorted()).toEqual([
      'collector.log',
      'collector.log.1',
      'collector.log.2',
    ]);
    expect(await linesOf('collector.log')).toEqual(['d']);
    expect(await linesOf('collector.log.1')).toEqual(['c']);
    expect(await linesOf('collector.log.2')).toEqual(['b']);
  });

  test('is named after its day when the day is over', async () => {
    const log = await openLog({ flush: true });
    log.write('today');
    await vi.waitFor(async () => expect(await linesOf('collector.log')).toEqual(['today']));
    now = new Date(2026, 10, 24, 0, 0, 1);
    log.write('tomorrow');
    await log.close();
    expect(await linesOf('collector.log.2026-11-23.001')).toEqual(['today']);
    expect(await linesOf('collector.log')).toEqual(['tomorrow']);
  });

  test('is begun anew at its size, and only so many old ones are kept', async () => {
    const log = await openLog({ bytesMax: 10, filesMax: 2, flush: true });
    for (const line of ['aaaaaaaa', 'bbbbbbbb', 'cccccccc', 'dddddddd']) {
      log.write(line);
      await vi.waitFor(async () => expect(await linesOf('collector.log')).toEqual([line]));
    }
    await log.close();
    expect((await readdir(folder)).toSorted()).toEqual([
      'collector.log',
      'collector.log.2026-11-23.002',
      'collector.log.2026-11-23.003',
    ]);
  });

  test('that cannot be opened at start is an error', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(openLog({ path: join(folder, 'file', 'log') })).rejects.toThrow(/ENOTDIR|EEXIST/);
  });

  test('drops what it cannot write, counts it, and says so when the disk is back', async () => {
    const log = await openLog({ flush: true, retryMs: 5 });
    // The next day's file cannot be begun: the folder is away, and a file has its place.
    await rename(folder, `${folder}-away`);
    await writeFile(folder, '');
    now = new Date(2026, 10, 24, 12);
    log.write('lost');
    await log.settled();
    await rm(folder);
    await rename(`${folder}-away`, folder);
    log.write('back');
    await vi.waitFor(async () => expect(await linesOf('collector.log')).toContain('back'));
    await log.close();
    const lines = await linesOf('collector.log');
    expect(lines[0]).toMatch(/^lost 1: ENOTDIR/);
    expect(lines.at(-1)).toBe('back');
  });

  test('takes no more than a bounded number of lines while the disk hangs', async () => {
    const log = await openLog();
    const line = 'x'.repeat(1024 * 1024);
    for (let count = 0; count < 20; count += 1) log.write(line);
    await log.close();
    const lines = await linesOf('collector.log');
    expect(lines.filter((text) => text === line)).toHaveLength(5);
    expect(lines).toContain('lost 15: the disk is too slow');
  });
});
