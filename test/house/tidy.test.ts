import { basename } from 'node:path';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { sourceFiles } from './source-files.ts';

const codeFolders = ['src', 'test', 'testbed', 'demo', 'bench', 'scripts'];
const code = sourceFiles(codeFolders);
const isTest = (path: string): boolean => path.startsWith('test/') || path.endsWith('.test.ts');

const sourceLinesMax = 400;
const testLinesMax = 500;

/** Words are put together here, or this file would find itself. */
const word = (...parts: string[]): string => parts.join('');

/** The words of a name: `replication`, `stats` of ReplicationStats, replication-stats or REPLICATION_STATS. */
function words(name: string): string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[-_ ]/)
    .filter((it) => it !== '');
}

function exportedWords(text: string): string[] {
  const declared =
    /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|class|const|let|interface|type) (\w+)/gm;
  return [...text.matchAll(declared)].flatMap((match) => words(match[1] ?? ''));
}

describe('the house is tidy', () => {
  test('files fit their length', () => {
    const long = code
      .map(({ path, text }) => ({ path, lines: text.split('\n').length - 1 }))
      .filter(({ path, lines }) => lines > (isTest(path) ? testLinesMax : sourceLinesMax))
      .map(({ path, lines }) => `${path}: ${lines} lines`);
    expect(long).toEqual([]);
  });

  test('file names are kebab-case, and a source file is named after something it exports', () => {
    const wrong = code.filter(({ path, text }) => {
      const name = basename(path).replace(/(\.test)?\.ts$/, '');
      if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) return true;
      const exported = exportedWords(text);
      // A command's entry point exports its main and is named after the command.
      if (path.endsWith('.test.ts') || exported.length === 0 || exported.includes('main')) return false;
      // The first letters are enough: spawnGuarded of process-guard, writeInt32 of write-integer.
      return !words(name).some((it) => exported.some((other) => other.slice(0, 3) === it.slice(0, 3)));
    });
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('there are no default exports and nothing left to do', () => {
    const wrong = code.filter(
      ({ text }) =>
        /^export default /m.test(text) ||
        [word('TO', 'DO'), word('FIX', 'ME')].some((mark) => text.includes(mark)),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('no test is skipped or runs alone', () => {
    const wrong = code.filter(
      ({ path, text }) =>
        path.endsWith('.test.ts') && /\b(?:test|it|describe)\.(?:only|skip|todo)\b/.test(text),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test('the lock file names no registry', () => {
    const urls = readFileSync('package-lock.json', 'utf8').match(/"resolved": "https?:[^"]*"/g) ?? [];
    expect(urls).toEqual([]);
  });

  test('the lock file has every optional package, or npm ci fails where a registry lacks other platforms', () => {
    const lock: { packages: Record<string, { optionalDependencies?: Record<string, string> }> } = JSON.parse(
      readFileSync('package-lock.json', 'utf8'),
    );
    const missing = Object.values(lock.packages)
      .flatMap((it) => Object.keys(it.optionalDependencies ?? {}))
      .filter((name) => lock.packages[`node_modules/${name}`] === undefined);
    expect(missing, 'run node scripts/complete-lock-file.js').toEqual([]);
  });

  test('nothing points at the machine it was written on', () => {
    const banned = [word('/wo', 'rk/'), word('"/t', 'mp/'), word("'/t", 'mp/'), word('shared/', 'reference')];
    const text = sourceFiles(['docs', 'conf', 'bin'], ['.md', '.conf', '.js', '.json']);
    const top = readdirSync('.').filter(
      (name) => /\.(?:md|json)$/.test(name) && name !== 'package-lock.json',
    );
    const rest = top.map((path) => ({ path, text: readFileSync(path, 'utf8') }));
    const wrong = [...code, ...text, ...rest].flatMap((file) =>
      banned.filter((it) => file.text.includes(it)).map((it) => `${file.path} names ${it}`),
    );
    expect(wrong).toEqual([]);
  });
});
