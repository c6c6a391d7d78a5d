import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listItems, parseConfText, readConfFile } from './conf-file.ts';

describe('the grammar of collector.conf', () => {
  test('a line is divided at its first "=", and both sides are trimmed, of tabs too', () => {
    const text = '\tmongo_urls \t= mongodb://a/?replicaSet=rs&x=y \r\nid=\n';
    expect(parseConfText(text, 'c').lines).toEqual([
      { key: 'mongo_urls', value: 'mongodb://a/?replicaSet=rs&x=y', line: 1 },
      { key: 'id', value: '', line: 2 },
    ]);
  });

  test('comments begin a line; behind a value there are none', () => {
    const text = '# first\n\n   # indented\nid = a # b';
    expect(parseConfText(text, 'c')).toEqual({
      lines: [{ key: 'id', value: 'a # b', line: 4 }],
      mistakes: [],
    });
  });

  test('a byte order mark does no harm', () => {
    expect(parseConfText('\uFEFFid = a', 'c').lines[0]?.key).toBe('id');
  });

  test('lines that are no key and value are mistakes with their number', () => {
    const { mistakes } = parseConfText('[main]\nid a\n= b\n.id = c', 'c.conf');
    expect(mistakes.map(({ where }) => where)).toEqual(['c.conf:1', 'c.conf:2', 'c.conf:3', 'c.conf:4']);
  });

  test.each([
    ['UTF-16', Buffer.from('id = a\n', 'utf16le').toString('latin1')],
    ['a program', '\u007fELF\0\u0001=\n=\n'],
  ])('%s is one mistake, not one for each line', (_name, text) => {
    const { mistakes } = parseConfText(text, 'c');
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatchObject({ where: 'c', text: 'this is not a text file' });
  });

  test('a file without a usable line is a mistake', () => {
    expect(parseConfText('# nothing\n', 'c').mistakes[0]?.text).toBe('the configuration file is empty');
  });

  test('a file that cannot be read is a mistake of its own kind', () => {
    expect(readConfFile('/nowhere/c.conf').mistakes[0]).toMatchObject({
      kind: 'open',
      where: '/nowhere/c.conf',
    });
  });
});

describe('lists', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'oplogue-list-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  test('are divided by semicolons; empty items do not count', () => {
    expect(listItems(' a.b ;; c ;', undefined)).toEqual(['a.b', 'c']);
    expect(listItems('', undefined)).toEqual([]);
  });

  test('@@name stands for the lines of a file beside the configuration', () => {
    writeFileSync(join(folder, 'white.txt'), '# collections\n a.b \r\n\nc;d\n');
    expect(listItems('@@white.txt', join(folder, 'collector.conf'))).toEqual(['a.b', 'c;d']);
    expect(() => listItems('@@none.txt', join(folder, 'collector.conf'))).toThrow(/none\.txt/);
  });
});
