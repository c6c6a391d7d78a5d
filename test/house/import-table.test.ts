import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sourceFiles, type SourceFile } from './source-files.ts';

/** From low to high; rooms of one layer do not import each other. The table of ARCHITECTURE.md. */
const layers: readonly (readonly string[])[] = [
  ['shared'],
  ['bson'],
  ['oplog'],
  ['config', 'metrics'],
  ['namespace', 'message', 'mongo'],
  ['source', 'tunnel', 'checkpoint', 'election'],
  ['pipeline', 'monitor'],
  ['collector', 'receiver'],
  ['cli'],
];

/** The one room that may import a third-party client. Types of one's own contracts keep the rest free of it. */
const doors: Readonly<Record<string, string>> = {
  mongodb: 'src/mongo/',
  bson: 'src/message/',
  '@platformatic/kafka': 'src/tunnel/kafka/',
  fastify: 'src/monitor/',
  'prom-client': 'src/metrics/',
  pino: 'src/cli/',
};

/** What pipeline and monitor may know of the rooms below them: their contract files, and their errors. */
const contracts = new Set([
  'src/source/change-source.ts',
  'src/tunnel/tunnel.ts',
  'src/checkpoint/checkpoint-store.ts',
  'src/checkpoint/ack-window.ts',
]);

const importPattern = /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?\sfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/g;

function imports({ text }: SourceFile): string[] {
  return [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '');
}

function room(path: string): string {
  return path.split('/')[1] ?? '';
}

function layerOf(path: string): number {
  return layers.findIndex((rooms) => rooms.includes(room(path)));
}

const files = sourceFiles(['src']).filter(({ path }) => path.split('/').length > 2);
const isTest = ({ path }: SourceFile): boolean => path.endsWith('.test.ts');

describe('the import table', () => {
  test('finds imports at all, or it would hold nothing', () => {
    expect(files.flatMap(imports).length).toBeGreaterThan(50);
  });

  test('names every room of src', () => {
    const unknown = new Set(files.filter(({ path }) => layerOf(path) < 0).map(({ path }) => room(path)));
    expect([...unknown]).toEqual([]);
  });

  test('imports go down only, and never between rooms of one layer', () => {
    const wrong = files.flatMap((file) =>
      imports(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => normalize(join(dirname(file.path), name)))
        .filter((target) => target.startsWith('src/') && room(target) !== room(file.path))
        .filter((target) => layerOf(target) >= layerOf(file.path))
        .map((target) => `${file.path} imports ${target}`),
    );
    expect(wrong).toEqual([]);
  });

  test('inside the room of Kafka the client knows nobody, receiving only the client, and sending nothing of transactions', () => {
    const mayKnow: Readonly<Record<string, readonly string[]>> = {
      client: [],
      send: ['client'],
      'exactly-once': ['client', 'send'],
      receive: ['client'],
    };
    const inKafka = /^src\/tunnel\/kafka\/([^/]+)\/[^/]+$/;
    const wrong = files.flatMap((file) => {
      const from = inKafka.exec(file.path)?.[1];
      if (from === undefined) return [];
      return imports(file)
        .filter((name) => name.startsWith('.'))
        .map((name) => normalize(join(dirname(file.path), name)))
        .filter((target) => target.startsWith('src/tunnel/kafka/'))
        .filter((target) => {
          const to = inKafka.exec(target)?.[1];
          return to !== from && !mayKnow[from].includes(to ?? '');
        })
        .map((target) => `${file.path} imports ${target}`);
    });
    expect(wrong).toEqual([]);
  });

  test('sources do not import tests, the testbed, the demo or the benchmarks', () => {
    const wrong = files
      .filter((file) => !isTest(file))
      .flatMap((file) =>
        imports(file)
          .filter((name) => name.startsWith('.'))
          .map((name) => normalize(join(dirname(file.path), name)))
          .filter((target) => !target.startsWith('src/') || target.endsWith('.test.ts'))
          .map((target) => `${file.path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test('pipeline and monitor know only the contracts of source, tunnel and checkpoint', () => {
    const wrong = files
      .filter((file) => ['pipeline', 'monitor'].includes(room(file.path)) && !isTest(file))
      .flatMap((file) =>
        imports(file)
          .filter((name) => name.startsWith('.'))
          .map((name) => normalize(join(dirname(file.path), name)))
          .filter((target) => ['source', 'tunnel', 'checkpoint', 'election'].includes(room(target)))
          .filter((target) => !contracts.has(target) && !target.endsWith('-error.ts'))
          .map((target) => `${file.path} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  test.each(Object.entries(doors))('%s is imported only below %s', (client, door) => {
    const wrong = files
      .filter((file) => !isTest(file) && !file.path.startsWith(door))
      .filter((file) => imports(file).some((name) => name === client || name.startsWith(`${client}/`)))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });

  test('only cli ends the process or prints', () => {
    const wrong = files
      .filter((file) => room(file.path) !== 'cli' && !isTest(file))
      .filter(({ text }) => /\bprocess\.exit\(|\bconsole\.\w+\(/.test(text))
      .map(({ path }) => path);
    expect(wrong).toEqual([]);
  });
});
