import { serialize, Timestamp, type Document } from 'bson';
import { expect, test } from 'vitest';
import { describeDdl, isDdl } from './ddl.ts';
import { EntryHeader, scanEntryHeader } from './entry-header.ts';
import { MalformedEntryError } from './malformed-entry-error.ts';

function scan(entry: Document): EntryHeader {
  const header = new EntryHeader();
  scanEntryHeader(header, Buffer.from(serialize({ ts: new Timestamp({ t: 9, i: 3 }), ...entry })), 0);
  return header;
}
const command = (o: Document): EntryHeader => scan({ op: 'c', ns: 'a.$cmd', o });

test.each<[Document, string[]]>([
  ...[
    'create',
    'drop',
    'createIndexes',
    'commitIndexBuild',
    'collMod',
    'dropIndex',
    'dropIndexes',
    'deleteIndex',
    'deleteIndexes',
    'convertToCapped',
    'emptycapped',
  ].map((name): [Document, string[]] => [{ [name]: 'x.y' }, ['a.x.y']]),
  [{ create: 'a.x' }, ['a.a.x']],
  [{ renameCollection: 'a.x', to: 'b.y', dropTarget: true }, ['a.x', 'b.y']],
  [{ dbCheck: 'a.x', type: 'batch' }, ['a.x']],
  [{ newCommand: 'x' }, ['a.x']],
])('%j touches %j', (o, namespaces) => {
  const header = command(o);
  expect(isDdl(header)).toBe(true);
  expect(describeDdl(header)).toEqual({
    command: Object.keys(o)[0],
    database: 'a',
    namespaces,
    scope: 'collections',
    alwaysFiltered: false,
  });
});

test('dropDatabase touches the whole database, and an unknown command does not say what it touches', () => {
  expect(describeDdl(command({ dropDatabase: 1 }))).toMatchObject({ scope: 'database', namespaces: [] });
  expect(describeDdl(command({ other: 1 }))).toMatchObject({ scope: 'unknown', namespaces: [] });
});

test.each(['startIndexBuild', 'abortIndexBuild'])('%s is never carried', (name) => {
  expect(describeDdl(command({ [name]: 'x' }))).toMatchObject({ alwaysFiltered: true, namespaces: ['a.x'] });
});

test('an insert into system.indexes creates an index on o.ns', () => {
  const header = scan({ op: 'i', ns: 'a.system.indexes', o: { ns: 'a.x', key: { b: 1 } } });
  expect(isDdl(header)).toBe(true);
  expect(describeDdl(header)).toMatchObject({ command: 'createIndexes', namespaces: ['a.x'] });
});

test('a command without o or with an empty one is an error that names its ts', () => {
  expect(() => describeDdl(scan({ op: 'c', ns: 'a.$cmd' }))).toThrow(MalformedEntryError);
  expect(() => describeDdl(command({}))).toThrow('9:3');
});
