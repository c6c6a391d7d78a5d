import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { beforeAll, expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { projectRoot } from './project-root.ts';

/** Starts a process and a folder under guard, prints both, and lives on as the test says. */
const owner = (then: string): string => `
  import { makeTempFolder, spawnGuarded } from './dist-testbed/testbed/process-guard.js';
  const folder = makeTempFolder('guarded');
  const child = spawnGuarded('sleep', ['600'], { stdio: 'ignore' });
  child.unref();
  console.log(child.pid + ' ' + folder);
  ${then}
`;

beforeAll(() => {
  execFileSync('npx', ['tsc', '-p', 'tsconfig.testbed.json'], { cwd: projectRoot() });
});

test.each([
  ['ends by itself', '', undefined],
  ['throws', "throw new Error('on purpose')", undefined],
  ['is interrupted by Ctrl-C', 'setInterval(() => {}, 1000)', 'SIGINT' as const],
  ['is killed with kill -9', 'setInterval(() => {}, 1000)', 'SIGKILL' as const],
])(
  'a guarded process and its folder go when their owner %s',
  { timeout: 20_000 },
  async (_, then, signal) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', owner(then)], {
      cwd: projectRoot(),
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const line = await new Promise<string>((resolve) => {
      createInterface({ input: child.stdout }).once('line', resolve);
    });
    const [pid, folder] = line.split(' ');
    // The folder is there until its owner ends, or the last line would prove nothing.
    expect(folder).toMatch(/guarded-/);
    if (signal !== undefined) child.kill(signal);
    await eventually(() => !alive(Number(pid)) && !existsSync(folder ?? ''), {
      what: 'the end of both',
      timeoutMs: 15_000,
    });
  },
);

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
