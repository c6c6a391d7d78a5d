import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeTempFolder } from '../testbed/process-guard.ts';
import { fileReader } from './message-reader.ts';

test('lines of a file and its continuations come once each, and half a line only when it is whole', async () => {
  const path = join(makeTempFolder('reader'), 'entries.json');
  const seen: string[] = [];
  const read = fileReader(path);
  const look = (): Promise<void> => read((line) => seen.push(line.toString()));
  await look();
  writeFileSync(path, 'one\ntw');
  await look();
  expect(seen).toEqual(['one']);
  appendFileSync(path, 'o\n');
  writeFileSync(`${path}.000001`, 'three\n');
  await look();
  expect(seen).toEqual(['one', 'two', 'three']);
});
