import { serialize } from 'bson';
import { expect, test } from 'vitest';
import { EntryHeader, scanEntryHeader } from '../oplog/entry-header.ts';
import { NamespaceFilter } from './namespace-filter.ts';
import { NamespaceTable } from './namespace-table.ts';

const filter = new NamespaceFilter({
  black: ['no'],
  white: [],
  passSpecialDb: '',
  checkpointDb: 'mongoshake',
});
function scan(ns: string): EntryHeader {
  const header = new EntryHeader();
  scanEntryHeader(header, Buffer.from(serialize({ op: 'i', ns, o: {} })), 0);
  return header;
}

test('a namespace is described once, from its bytes', () => {
  const table = new NamespaceTable({ filter, idSharded: ['a.ids'] });
  const info = table.lookup(scan('zz.test'));
  expect(info).toEqual({ name: 'zz.test', passes: true, hash: 145094272, idSharded: false, entries: 0 });
  expect(table.lookup(scan('no.x')).passes).toBe(false);
  expect(table.lookup(scan('a.ids')).idSharded).toBe(true);
  expect(table.lookup(scan('db.é中😀')).hash).toBe(2955763372);
  expect(table.lookup(scan('zz.test'))).toBe(info);
  expect(table.size).toBe(4);
});

test('an entry without a namespace has the empty one', () => {
  const table = new NamespaceTable({ filter, idSharded: [] });
  expect(table.lookup(scan(''))).toMatchObject({ name: '', hash: 0 });
});

test('names with one hash are kept apart', () => {
  const table = new NamespaceTable({ filter, idSharded: [] });
  const [one, two] = [table.lookup(scan('a.Aa')), table.lookup(scan('a.BB'))];
  expect(one.hash).toBe(two.hash);
  expect(table.lookup(scan('a.Aa'))).toBe(one);
  expect(table.lookup(scan('a.BB'))).toBe(two);
});

test('a hundred thousand namespaces are all found again', () => {
  const table = new NamespaceTable({ filter, idSharded: [] });
  const headers = Array.from({ length: 100_000 }, (_, i) => scan(`tenant${i}.orders`));
  const infos = headers.map((header) => table.lookup(header));
  expect(table.size).toBe(100_000);
  expect(headers.every((header, i) => table.lookup(header) === infos[i])).toBe(true);
  expect([...table.infos()].length).toBe(100_000);
});

test('I4: more names than the table may hold start it anew', () => {
  const table = new NamespaceTable({ filter, idSharded: [], namesMax: 1000 });
  for (let i = 0; i < 2500; i++) table.lookup(scan(`tmp.agg${i}`));
  expect(table.size).toBe(500);
  expect(table.lookup(scan('tmp.agg2499')).name).toBe('tmp.agg2499');
});
