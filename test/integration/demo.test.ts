import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, test } from 'vitest';
import { eventually } from '../../testbed/eventually.ts';
import { GuardedProcess } from '../../testbed/guarded-process.ts';
import { makeTempFolder } from '../../testbed/process-guard.ts';
import { projectRoot } from '../../testbed/project-root.ts';

beforeAll(() => {
  execFileSync('npm', ['run', '--silent', 'build:testbed'], { cwd: projectRoot() });
});

/** The demo on the servers that the tests share. */
function startDemo(args: readonly string[]): { demo: GuardedProcess; output: () => string } {
  const logPath = join(makeTempFolder('demo'), 'output.log');
  const demo = new GuardedProcess({
    command: process.execPath,
    args: [join(projectRoot(), 'dist-testbed', 'demo', 'main.js'), ...args],
    env: { ...process.env, MONGO_URL: inject('mongoUrl'), KAFKA_BROKERS: inject('kafka39') },
    logPath,
  });
  demo.start();
  return { demo, output: () => readFileSync(logPath, 'utf8') };
}

describe('the demo', () => {
  test.each([
    ['into Kafka as json', []],
    ['into Kafka as bson', ['--message', 'bson']],
    ['into Kafka as raw', ['--message', 'raw']],
    ["into Kafka as MongoShake's own text", ['--format', '']],
    ['into a file', ['--tunnel', 'file']],
  ])('delivers everything it wrote and ends with 0: %s', async (_, args) => {
    const { demo, output } = startDemo(['--seconds', '3', '--rate', '500', ...args]);
    const end = await demo.ended;
    expect(output()).toMatch(/missing 0, repeated 0/);
    expect(end.code).toBe(0);
    const written = Number(/written (\d+), delivered \d+ \(/.exec(output())?.[1]);
    expect(written).toBeGreaterThan(500);
  });

  test('ends with 0 on Ctrl-C and says what has arrived', async () => {
    const { demo, output } = startDemo(['--rate', '200']);
    await eventually(() => /delivered [1-9]/.test(output()), { what: 'the first messages', detail: output });
    demo.signal('SIGINT');
    const end = await demo.ended;
    expect(output()).toMatch(/missing 0/);
    expect(end.code).toBe(0);
  });

  test('names a wrong option and where to find the right ones', async () => {
    const { demo, output } = startDemo(['--speed', '9']);
    const end = await demo.ended;
    expect(output()).toMatch(/--speed.*--help/s);
    expect(end.code).toBe(1);
  });
});
