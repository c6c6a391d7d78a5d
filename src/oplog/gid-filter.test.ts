import { serialize, type Document } from 'bson';
import { expect, test } from 'vitest';
import { ByteWriter } from '../shared/byte-writer.ts';
import { EntryHeader, scanEntryHeader } from './entry-header.ts';
import { GidFilter, writeWithoutGid } from './gid-filter.ts';

function scan(entry: Document): EntryHeader {
  const header = new EntryHeader();
  const prefix = Buffer.from([1, 2, 3]);
  scanEntryHeader(header, Buffer.concat([prefix, serialize(entry), prefix]), prefix.length);
  return header;
}

test('only entries whose g is listed pass; without a list all do', () => {
  const filter = new GidFilter(['one', 'zwö']);
  expect(filter.passes(scan({ op: 'i', g: 'one' }))).toBe(true);
  expect(filter.passes(scan({ op: 'i', g: 'zwö' }))).toBe(true);
  expect(filter.passes(scan({ op: 'i', g: 'on' }))).toBe(false);
  expect(filter.passes(scan({ op: 'i', g: 1 }))).toBe(false);
  expect(filter.passes(scan({ op: 'i' }))).toBe(false);
  expect(new GidFilter([]).passes(scan({ op: 'i' }))).toBe(true);
});

test('g is taken out and all other bytes stay, in their order', () => {
  const out = new ByteWriter(8);
  out.append(Buffer.from('before'));
  const rest = { op: 'i', ns: 'a.b', o: { g: 'kept' } };
  writeWithoutGid(scan({ op: 'i', g: 'one', ns: 'a.b', o: { g: 'kept' } }), out);
  expect(out.view().subarray(6)).toEqual(Buffer.from(serialize(rest)));
  out.length = 0;
  writeWithoutGid(scan(rest), out);
  expect(out.view()).toEqual(Buffer.from(serialize(rest)));
});
