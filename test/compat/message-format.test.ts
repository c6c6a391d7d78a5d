import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { COMPRESSORS } from '../../src/message/compressor.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { FileTunnel } from '../../src/tunnel/file/file-tunnel.ts';
import { exampleEntry, exampleRawMessage, messageExamples } from '../support/message-examples.ts';
import { headerOf } from '../support/oplog-entry.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGE = join(ROOT, 'docs/message-format.md');
const hasPython = spawnSync('python3', ['--version']).status === 0;

let folder = '';

beforeEach(() => {
  // Below the project, so that the examples find the packages that they import.
  folder = mkdtempSync(join(ROOT, 'node_modules/.message-format-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Matches the fenced block that follows a marker; the block's text is group 2. */
function fenced(marker: string): RegExp {
  return new RegExp(`(<!-- ${marker} -->\\n\\n\`\`\`\\w+\\n)([^]*?)(\\n\`\`\`\\n)`);
}

function textOf(marker: string): string {
  const found = fenced(marker).exec(readFileSync(PAGE, 'utf8'));
  if (found === null) throw new Error(`docs/message-format.md has no block "${marker}"`);
  return found[2];
}

/** `OPLOGUE_UPDATE_DOCS=1 npx vitest run test/compat/message-format` writes the examples anew. */
it.each([...messageExamples()])('the page shows what the encoders write: %s', (name, text) => {
  const marker = `example: ${name}`;
  if (process.env['OPLOGUE_UPDATE_DOCS'] !== undefined) {
    const page = readFileSync(PAGE, 'utf8');
    writeFileSync(
      PAGE,
      page.replace(fenced(marker), (_all, before: string, _old, after: string) => before + text + after),
    );
  }
  expect(textOf(marker)).toBe(text);
});

it.each(COMPRESSORS)("the page's JavaScript reads raw messages, compressor %s", (compressor) => {
  const script = join(folder, 'entries-of.mjs');
  const print = `
    import { serialize } from 'bson';
    const entries = entriesOf(Buffer.from(process.argv[2], 'hex'));
    for (const entry of entries) console.log(Buffer.from(serialize(entry)).toString('hex'));`;
  writeFileSync(script, textOf('code: javascript') + print);
  const message = exampleRawMessage(compressor).toString('hex');
  const lines = execFileSync(process.execPath, [script, message], { encoding: 'utf8' }).trimEnd().split('\n');
  expect(lines).toHaveLength(2);
  expect(lines[0]).toBe(exampleEntry.toString('hex'));
});

it.each(COMPRESSORS)('the library reads raw messages as the page shows, compressor %s', (compressor) => {
  // As it is where somebody has installed the package.
  mkdirSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(ROOT, join(folder, 'node_modules/oplogue'));
  const script = join(folder, 'changes-of.mjs');
  const print = "console.log(JSON.stringify(changesOf(Buffer.from(process.argv[2], 'hex'))));";
  writeFileSync(script, `${textOf('code: library')}\n${print}`);
  const message = exampleRawMessage(compressor).toString('hex');
  const changes: unknown[] = JSON.parse(
    execFileSync(process.execPath, [script, message], { encoding: 'utf8' }),
  );
  expect(changes).toHaveLength(2);
  expect(changes[0]).toMatchObject({ op: expect.stringMatching(/^[iud]$/), ns: expect.any(String) });
});

it.runIf(hasPython).each(COMPRESSORS)(
  "the page's Python reads raw files, compressor %s",
  async (compressor) => {
    const path = join(folder, 'oplog.data');
    const tunnel = new FileTunnel({
      path,
      lanes: 4,
      message: 'raw',
      jsonFormat: '',
      compressor,
      maxFileBytes: 0,
      budget: new MemoryBudget(1 << 20),
      logger: silentLogger,
    });
    await tunnel.open();
    for (const lane of [3, 0, 3]) {
      await tunnel.lane(lane).append(headerOf(exampleEntry));
      tunnel.lane(lane).flush(() => {});
    }
    await tunnel.drain(new AbortController().signal);
    await tunnel[Symbol.asyncDispose]();
    // Half a block behind the whole ones, as a kill leaves it.
    writeFileSync(path, readFileSync(path).subarray(32, 90), { flag: 'a' });
    const script = join(folder, 'logs_of.py');
    writeFileSync(
      script,
      `${textOf('code: python')}\nfor lane, log in logs_of("${path}"):\n    print(lane, log.hex())\n`,
    );
    const lines = execFileSync('python3', [script], { encoding: 'utf8' }).trimEnd().split('\n');
    expect(lines).toEqual([3, 0, 3].map((lane) => `${lane} ${exampleEntry.toString('hex')}`));
  },
);
