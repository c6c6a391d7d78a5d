import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { sourceFiles } from './source-files.ts';

const pages = [
  ...sourceFiles(['docs'], ['.md']),
  ...sourceFiles(['.'], ['.md']).filter(({ path }) => !path.includes('/')),
].map(({ path, text }) => ({ path, text: text.replaceAll(/^```[\s\S]*?^```/gm, '') }));

test('links between the pages lead somewhere', () => {
  const dead = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)]
      .map(([, target = '']) => target)
      .filter((target) => !existsSync(join(dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(dead).toEqual([]);
});

test('the files that the pages name exist', () => {
  const missing = pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`((?:src|test|bench|conf|docs|scripts|testbed|demo)\/[\w./-]+\.\w+)`/g)]
      .map(([, file = '']) => file)
      .filter((file) => !existsSync(file))
      .map((file) => `${path}: ${file}`),
  );
  expect(missing).toEqual([]);
});
