import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { sourceFiles } from './source-files.ts';

/** Codes of our own errors are words in capitals: `code: 'POSITION_LOST'`, also in a choice of two. */
const assigned = /\bcode:([^,;{}]+)/g;
const quoted = /'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)'/g;

function codesInSource(): string[] {
  const texts = sourceFiles(['src']).filter(({ path }) => !path.endsWith('.test.ts'));
  const codes = texts.flatMap(({ text }) =>
    [...text.matchAll(assigned)].flatMap(([, value = '']) => [...value.matchAll(quoted)]),
  );
  return [...new Set(codes.map(([, code = '']) => code))].toSorted();
}

test('docs/errors.md has exactly the codes that the source throws, each once', () => {
  const page = readFileSync('docs/errors.md', 'utf8');
  const described = [...page.matchAll(/^\| `([A-Z_0-9]+)`/gm)].map(([, code = '']) => code);
  expect(described.toSorted()).toEqual(codesInSource());
});
