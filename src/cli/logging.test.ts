import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LogConfig } from '../config/config.ts';
import { OplogueError } from '../shared/errors.ts';
import { openLog, type Logging, type LoggingOptions } from './logging.ts';

let dir: string;
let shown: string[];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'oplogue-logging-'));
  shown = [];
});

afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

function open(options: Partial<LoggingOptions> = {}): Promise<Logging> {
  const config: LogConfig = {
    level: 'info',
    dir,
    file: 'collector.log',
    flush: false,
    format: 'text',
    fileBytesMax: 0,
    filesMax: 10,
  };
  const console = new Writable({
    write(chunk, _encoding, done) {
      shown.push(String(chunk));
      done();
    },
  });
  const now = (): Date => new Date(Date.UTC(2026, 10, 23, 18, 23, 22));
  return openLog({ ...config, verbose: 0, secrets: [], console, now, ...options });
}

async function logged(log: Logging): Promise<string> {
  await log.close();
  return readFile(join(dir, 'collector.log'), 'utf8');
}

describe('the log', () => {
  test("has MongoShake's layout and levels", async () => {
    const log = await open({ level: 'debug' });
    log.debug('d');
    log.info('text');
    log.warn({ ns: 'db.c', count: 3, gap: [1, 2], at: 7_398_000_000_000_000_001n }, 'with fields');
    log.error({ text: 'two words' }, 'e');
    log.fatal('f');
    const lines = (await logged(log)).trimEnd().split('\n');
    const layout = /^\[2026\/11\/2[34] \d\d:\d\d:22 \S+\] /;
    expect(lines.filter((line) => !layout.test(line))).toEqual([]);
    expect(lines.map((line) => line.replace(layout, ''))).toEqual([
      '[DEBG] d',
      '[INFO] text',
      '[WARN] with fields ns=db.c count=3 gap=[1,2] at=7398000000000000001',
      '[EROR] e text="two words"',
      '[CRIT] f',
    ]);
  });

  test('leaves out what is below its level', async () => {
    const log = await open({ level: 'warning' });
    log.info('quiet');
    log.warn('loud');
    expect(await logged(log)).toMatch(/^[^\n]* \[WARN\] loud\n$/);
  });

  test('a child adds its fields', async () => {
    const log = await open();
    log.child({ lane: 3 }).info('x');
    expect(await logged(log)).toContain('[INFO] x lane=3\n');
  });

  test('can be JSON, one object for each line', async () => {
    const log = await open({ format: 'json' });
    log.info({ ns: 'a.b', position: 7_398_000_000_000_000_001n }, 'hello');
    expect(await logged(log)).toBe(
      '{"time":"2026-11-23T18:23:22.000Z","level":"info","message":"hello","ns":"a.b","position":7398000000000000001}\n',
    );
  });

  test('goes to the file, to both, or to standard output, as -verbose says', async () => {
    const quiet = await open({ verbose: 0 });
    quiet.info('file only');
    expect(await logged(quiet)).toContain('file only');
    expect(shown).toEqual([]);
    const both = await open({ verbose: 1 });
    both.info('both');
    expect(await logged(both)).toContain('both');
    expect(shown.join('')).toContain('both');
    const console = await open({ verbose: 2, file: 'none.log' });
    console.info('console only');
    await console.close();
    expect(shown.join('')).toContain('console only');
    await expect(readFile(join(dir, 'none.log'))).rejects.toThrow('ENOENT');
  });

  test('the last words are shown in any case', async () => {
    const log = await open();
    log.fatal('the end');
    await log.close();
    expect(shown.join('')).toContain('[CRIT] the end');
  });
});

describe('a log line', () => {
  test('never holds a secret, whether in the text, a field, an error or JSON', async () => {
    const failure = new OplogueError({
      code: 'X',
      message: 'no login at mongodb://bob:hunter2@host',
      hint: 'try t0ps3cret',
    });
    for (const format of ['text', 'json'] as const) {
      const log = await open({ format, file: `${format}.log`, secrets: ['t0ps3cret'] });
      log.info('connect to mongodb://bob:hunter2@host');
      log.warn(
        { url: 'mongodb://bob:hunter2@host', deep: { password: 'hunter2', list: ['t0ps3cret'] } },
        'fields',
      );
      log.error({ error: failure }, 'it failed with t0ps3cret');
      log.error({ error: new Error('t0ps3cret', { cause: failure }) }, 'stack');
      await log.close();
      const text = await readFile(join(dir, `${format}.log`), 'utf8');
      expect(text).not.toMatch(/hunter2|t0ps3cret/);
      expect(text).toContain('mongodb://bob:***@host');
    }
  });

  test('shows an error of ours with its next step, and others with their stack', async () => {
    const log = await open();
    log.error({ error: new OplogueError({ code: 'X', message: 'It broke', hint: 'mend it' }) }, 'a');
    log.error({ error: new TypeError('odd') }, 'b');
    const text = await logged(log);
    expect(text).toContain('[EROR] a error="It broke; mend it"');
    expect(text).toMatch(/TypeError: odd\n\s+at /);
  });

  test('cannot be faked by a name with a line feed or control characters', async () => {
    const log = await open();
    log.info({ ns: 'a\n[2026/11/23 18:23:22 UTC] [CRIT] x\u001b[31m' }, 'b\r\n[CRIT] c');
    const text = await logged(log);
    expect(text.split('\n').filter((line) => line.startsWith('['))).toHaveLength(1);
    expect(text).not.toContain('\r');
    expect(text).not.toContain('\u001b');
  });
});

test('a log that cannot be opened is an error with a cure', async () => {
  await writeFile(join(dir, 'file'), '');
  await expect(open({ dir: join(dir, 'file') })).rejects.toMatchObject({
    code: 'LOG_OPEN_FAILED',
    hint: expect.stringContaining('-verbose=2'),
  });
});
