import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readEntry, type NumberedEntry } from '../support/oplog-entry.ts';
import { readFileParts } from '../support/read-file-parts.ts';
import { readRawFile } from '../support/read-raw-file.ts';

const KILLS = 12;
const ROOT = join(import.meta.dirname, '../..');

it('what was reported durable is in the files, whole and in order, after kill -9 at random moments (I3)', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'oplogue-kill-'));
  const path = join(folder, 'oplog.data');
  const reported: NumberedEntry[] = [];
  try {
    const writer = compileWriter(join(folder, 'compiled'));
    for (let kill = 0; kill < KILLS; kill++) {
      const first = (reported.at(-1)?.number ?? -1) + 1;
      const lines = await writeUntilKilled({
        writer,
        path,
        first,
        reports: 1 + Math.floor(Math.random() * 2000),
      });
      reported.push(...lines);
      expect(missing(path, reported)).toEqual([]);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 120_000);

/** Node 20 runs no TypeScript: the child is compiled from the sources of today. Returns its path. */
function compileWriter(outDir: string): string {
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const config = join(outDir, '../tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    rootDir: ROOT,
    outDir,
    typeRoots: [join(ROOT, 'node_modules/@types')],
  };
  const files = [join(ROOT, 'test/fault/file-tunnel-writer.ts')];
  writeFileSync(
    config,
    JSON.stringify({ extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] }),
  );
  writeFileSync(join(outDir, '../package.json'), '{"type":"module"}');
  execFileSync(process.execPath, [tsc, '-p', config], { stdio: 'inherit' });
  return join(outDir, 'test/fault/file-tunnel-writer.js');
}

/** Kills the writer once it has reported `reports` entries; returns all it had reported until it was dead. */
function writeUntilKilled(options: {
  writer: string;
  path: string;
  first: number;
  reports: number;
}): Promise<NumberedEntry[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [options.writer, options.path, String(options.first)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.split('\n').length > options.reports) child.kill('SIGKILL');
    });
    child.on('error', reject);
    child.on('close', (_code, signal) => {
      const lines = out.slice(0, out.lastIndexOf('\n')).split('\n');
      if (signal !== 'SIGKILL') reject(new Error(`the writer ended by itself: ${errors}`));
      else resolve(lines.map(parseReport));
    });
  });
}

/** What was reported and is in no file; fails when a file is not in order. */
function missing(path: string, reported: readonly NumberedEntry[]): NumberedEntry[] {
  const present = new Set<string>();
  for (const part of readFileParts(path)) {
    const last = new Map<number, number>();
    for (const block of readRawFile(part).blocks) {
      for (const log of block.logs) {
        const { lane, number } = readEntry(log);
        expect(lane).toBe(block.shard);
        expect(number).toBeGreaterThan(last.get(lane) ?? -1);
        last.set(lane, number);
        present.add(`${lane} ${number}`);
      }
    }
  }
  return reported.filter(({ lane, number }) => !present.has(`${lane} ${number}`));
}

function parseReport(line: string): NumberedEntry {
  const [lane, number] = line.split(' ').map(Number);
  return { lane, number };
}
