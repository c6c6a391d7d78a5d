import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { eventually } from '../../testbed/eventually.ts';
import { freePort } from '../../testbed/free-port.ts';
import { runCollector } from '../../testbed/run-collector.ts';
import { runReceiver } from '../../testbed/run-receiver.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { uniqueName } from '../support/collector-job.ts';

const run = promisify(execFile);

let mongo: TestMongo;

beforeAll(async () => {
  mongo = await startMongo();
});

afterAll(() => mongo?.stop());

async function stat(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, ['bin/oplogue.js', 'stat', ...args]);
  return stdout;
}

test('stat shows a collector and its receiver at work, and one that is gone', async () => {
  await using client = await MongoClient.connect(mongo.url);
  const database = uniqueName('stat');
  const tunnel = { tunnel: 'rpc', 'tunnel.address': `127.0.0.1:${await freePort()}` };
  const receiverPort = await freePort();
  const receiver = await runReceiver({ conf: { ...tunnel, 'http.port': receiverPort } });
  onTestFinished(() => receiver[Symbol.asyncDispose]());
  const collector = await runCollector({
    conf: {
      ...tunnel,
      id: 'watched',
      mongo_urls: mongo.url,
      'incr_sync.worker': 2,
      'filter.namespace.white': database,
    },
  });
  onTestFinished(() => collector[Symbol.asyncDispose]());
  await client
    .db(database)
    .collection('c')
    .insertMany([{ n: 1 }, { n: 2 }, { n: 3 }]);
  await eventually(() => receiver.lines().length === 3, { what: 'three entries' });
  const [from, to] = [`127.0.0.1:${collector.httpPort}`, `127.0.0.1:${receiverPort}`];

  const lines = await eventually(
    async () => {
      const text = await stat(from, to, '--json', '--count', '2', '--interval', '0.2');
      const parsed: Array<Record<string, unknown>> = text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
      return parsed.every(({ done }) => done === 3) ? parsed : undefined;
    },
    { what: 'both to say that three are done' },
  );
  expect(lines).toHaveLength(4);
  expect(lines[2]).toMatchObject({
    address: from,
    id: 'watched',
    state: 'streaming',
    rate: 0,
    problems: [],
  });
  expect(lines[3]).toMatchObject({ address: to, id: 'receiver', state: 'receiver, rpc', rate: 0 });
  expect(lines[2]['workers']).toHaveLength(2);

  await collector.kill();
  const table = await stat(from, to, '--count', '1', '--workers');
  expect(table).toMatch(/^address\s+id\s+state/);
  expect(table).toMatch(new RegExp(`${from}\\s+-\\s+unreachable: nothing listens there`));
  expect(table).toContain('worker 0: done 3, in flight 0');
});

test('stat refuses what it does not understand', async () => {
  await expect(stat('--interval', 'soon')).rejects.toMatchObject({ code: 1 });
});
