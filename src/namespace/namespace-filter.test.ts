import { expect, test } from 'vitest';
import type { Ddl } from '../oplog/ddl.ts';
import { NamespaceFilter, type NamespaceFilterOptions } from './namespace-filter.ts';

function filter(options: Partial<NamespaceFilterOptions> = {}): NamespaceFilter {
  return new NamespaceFilter({ black: [], white: [], passSpecialDb: '', checkpointDb: 'ckpt', ...options });
}
function ddl(command: string, namespaces: string[], scope: Ddl['scope'] = 'collections'): Ddl {
  return { command, database: 'a', namespaces, scope, alwaysFiltered: command === 'startIndexBuild' };
}

test.each([
  'admin.x',
  'local.x',
  'config.x',
  'mongoshake.x',
  'mongoshake_conflict.x',
  'ckpt.x',
  'ckpt__conflict.x',
  'a.system.views',
])('%s is ignored by itself', (namespace) => {
  expect(filter().passes(namespace)).toBe(false);
});

test('what only looks like a built-in name passes, and so does admin.$cmd', () => {
  for (const namespace of ['administration.x', 'ckpt2.x', 'a.admin.x', 'admin.$cmd']) {
    expect(filter().passes(namespace)).toBe(true);
  }
});

test('filter.pass.special.db lets built-in names pass', () => {
  const special = filter({ passSpecialDb: 'admin;config.; system.views' });
  expect(special.passes('admin.x')).toBe(true);
  expect(special.passes('config.x')).toBe(true);
  expect(special.passes('a.system.views')).toBe(true);
  expect(special.passes('local.x')).toBe(false);
});

test('a listed database covers its collections, a listed collection itself and what is below it', () => {
  const black = filter({ black: ['a', 'b.c'] });
  expect(['a.x', 'b.c', 'b.c.d'].map((name) => black.passes(name))).toEqual([false, false, false]);
  expect(['aa.x', 'b.cc', 'b.x'].map((name) => black.passes(name))).toEqual([true, true, true]);
  const white = filter({ white: ['a', 'b.c'] });
  expect(['a.x', 'b.c', 'b.c.d'].map((name) => white.passes(name))).toEqual([true, true, true]);
  expect(['aa.x', 'b.cc', 'b.x'].map((name) => white.passes(name))).toEqual([false, false, false]);
});

test('items are literal: characters of patterns stand for themselves', () => {
  const white = filter({ white: ['a.b+', 'x.(y'] });
  expect(white.passes('a.b+')).toBe(true);
  expect(white.passes('x.(y')).toBe(true);
  expect(white.passes('a.bb')).toBe(false);
});

test('the white list does not let our own databases through', () => {
  expect(filter({ white: ['ckpt'] }).passes('ckpt.x')).toBe(false);
});

test('a rename passes when either name does', () => {
  const white = filter({ white: ['a.x'] });
  expect(white.passesDdl(ddl('renameCollection', ['a.x', 'a.y']))).toBe(true);
  expect(white.passesDdl(ddl('renameCollection', ['a.y', 'a.x']))).toBe(true);
  expect(white.passesDdl(ddl('renameCollection', ['a.y', 'a.z']))).toBe(false);
});

test('a listed collection does not let dropDatabase of its database through', () => {
  const drop = ddl('dropDatabase', [], 'database');
  expect(filter({ white: ['a.x'] }).passesDdl(drop)).toBe(false);
  expect(filter({ white: ['a'] }).passesDdl(drop)).toBe(true);
  expect(filter({ black: ['a.x'] }).passesDdl(drop)).toBe(true);
  expect(filter({ black: ['a'] }).passesDdl(drop)).toBe(false);
  expect(filter().passesDdl({ ...drop, database: 'local' })).toBe(false);
});

test('an unknown command passes when anything in its database may', () => {
  const unknown = ddl('other', [], 'unknown');
  expect(filter({ white: ['a.x'] }).passesDdl(unknown)).toBe(true);
  expect(filter({ white: ['b'] }).passesDdl(unknown)).toBe(false);
  expect(filter({ black: ['a'] }).passesDdl(unknown)).toBe(false);
});

test('the start of an index build never passes', () => {
  expect(filter().passesDdl(ddl('startIndexBuild', ['a.x']))).toBe(false);
});
