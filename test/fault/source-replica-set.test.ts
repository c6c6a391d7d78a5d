import { MongoClient } from 'mongodb';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLogger, type Logger } from '../../src/shared/logger.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { OplogSource, type OplogSourceOptions } from '../../src/source/oplog-source.ts';
import { eventually } from '../../testbed/eventually.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { newestPosition, OplogRecorder, readOplog, type SeenEntry } from '../support/oplog-recorder.ts';
import { SteadyWriter } from '../support/steady-writer.ts';

const LIMIT_BYTES = 32 * 1024 * 1024;
/** Short, so that a frozen member is given up while the test looks on. */
const REPLY_TIMEOUT_MS = 2500;

let mongo: TestMongo;

beforeAll(async () => {
  mongo = await startMongo({ members: 3 });
});

afterAll(async () => {
  await mongo.stop();
});

interface Outcome {
  readonly seen: readonly SeenEntry[];
  readonly oplog: readonly SeenEntry[];
  readonly reconnects: number;
}

/**
 * Reads under a steady load, lets `harm` do its work in the middle, waits until entries written after it have come,
 * and gives back what was read and what the oplog holds.
 */
async function survives(
  harm: (context: { readingHost: () => string }) => Promise<void>,
  options: Partial<OplogSourceOptions> = {},
): Promise<Outcome> {
  const budget = new MemoryBudget(LIMIT_BYTES);
  const stats = { sourceReconnects: 0 };
  let readingHost = '';
  const logger: Logger = {
    ...silentLogger,
    info: (text) => {
      readingHost = / on (\S+) /.exec(JSON.stringify(text))?.[1] ?? readingHost;
    },
  };
  await using source = new OplogSource({
    url: mongo.url,
    connectMode: 'primary',
    readConcern: 'majority',
    budget,
    logger,
    stats,
    replyTimeoutMs: REPLY_TIMEOUT_MS,
    ...options,
  });
  await source.open(new AbortController().signal);
  const after = await newestPosition(mongo.url);
  const writer = new SteadyWriter(mongo.url);
  await using reading = new OplogRecorder({ source, after, budget });
  await eventually(() => writer.acknowledged > 100 && reading.seen.length > 100, { what: 'a steady load' });
  await harm({ readingHost: () => readingHost });
  const goal = writer.acknowledged + 100;
  await eventually(() => writer.acknowledged > goal, { what: 'the load to go on', timeoutMs: 60_000 });
  await writer.stop();
  await reading.reach(await newestPosition(mongo.url));
  await reading[Symbol.asyncDispose]();
  const oplog = await readOplog(mongo.url, after, reading.last);
  return { seen: reading.seen, oplog, reconnects: stats.sourceReconnects };
}

async function primary() {
  return mongo.primary();
}

async function memberAt(host: string) {
  const member = mongo.members.find((candidate) => candidate.host === host);
  return member ?? (await primary());
}

describe('no entry is missed and none comes twice', () => {
  test('when the primary steps down', { timeout: 120_000 }, async () => {
    const { seen, oplog, reconnects } = await survives(async () => {
      await mongo.stepDown();
    });
    expect(seen).toEqual(oplog);
    expect(reconnects).toBeGreaterThan(0);
  });

  test('when the primary is killed and comes back', { timeout: 120_000 }, async () => {
    const { seen, oplog, reconnects } = await survives(async () => {
      const victim = await primary();
      await victim.kill('SIGKILL');
      await primary();
      await victim.start();
    });
    expect(seen).toEqual(oplog);
    expect(reconnects).toBeGreaterThan(0);
  });

  test('when the secondary that is read is killed and comes back', { timeout: 120_000 }, async () => {
    const { seen, oplog, reconnects } = await survives(
      async ({ readingHost }) => {
        const victim = await memberAt(readingHost());
        expect(victim.host).not.toBe((await primary()).host);
        await victim.kill('SIGKILL');
        await victim.start();
      },
      { connectMode: 'secondary' },
    );
    expect(seen).toEqual(oplog);
    expect(reconnects).toBeGreaterThan(0);
  });

  test(
    'when the member that is read freezes for longer than a reply may take',
    { timeout: 120_000 },
    async () => {
      const { seen, oplog, reconnects } = await survives(
        async ({ readingHost }) => {
          const victim = await memberAt(readingHost());
          victim.freeze();
          try {
            await eventually(() => readingHost() !== victim.host, {
              what: 'another member to be read',
              timeoutMs: 40_000,
            });
          } finally {
            victim.thaw();
          }
        },
        { connectMode: 'secondary' },
      );
      expect(seen).toEqual(oplog);
      expect(reconnects).toBeGreaterThan(0);
    },
  );

  test('when all members are killed and come back', { timeout: 120_000 }, async () => {
    const { seen, oplog, reconnects } = await survives(async () => {
      await Promise.all(mongo.members.map((member) => member.kill('SIGKILL')));
      await Promise.all(mongo.members.map((member) => member.start()));
      await primary();
    });
    expect(seen).toEqual(oplog);
    expect(reconnects).toBeGreaterThan(0);
  });

  test('when the cursor is killed again and again', { timeout: 120_000 }, async () => {
    const { seen, oplog, reconnects } = await survives(async () => {
      const { host } = await primary();
      await using client = new MongoClient(`mongodb://${host}/?directConnection=true`, { useBigInt64: true });
      for (let i = 0; i < 5; i++) {
        const killed = await eventually(() => killOplogCursors(client), { what: 'a cursor on the oplog' });
        expect(killed).toBeGreaterThan(0);
      }
    });
    expect(seen).toEqual(oplog);
    expect(reconnects).toBeGreaterThan(0);
  });
});

test(
  'connect mode secondary reads a secondary, and moves when that becomes primary',
  { timeout: 120_000 },
  async () => {
    const { seen, oplog, reconnects } = await survives(
      async ({ readingHost }) => {
        const first = readingHost();
        expect(first).not.toBe((await primary()).host);
        await eventually(
          async () => {
            if ((await primary()).host === first) return true;
            await mongo.stepDown(1);
            return false;
          },
          { what: `${first} to become primary`, timeoutMs: 60_000, everyMs: 1500 },
        );
        await eventually(() => readingHost() !== first, { what: 'another member to be read' });
        expect(readingHost()).not.toBe((await primary()).host);
      },
      { connectMode: 'secondary' },
    );
    expect(seen).toEqual(oplog);
    expect(reconnects).toBeGreaterThan(0);
  },
);

/** @returns how many were killed; undefined when there was none. */
async function killOplogCursors(client: MongoClient): Promise<number | undefined> {
  const cursors = await client
    .db('admin')
    .aggregate([
      { $currentOp: { idleCursors: true, localOps: true } },
      { $match: { ns: 'local.oplog.rs', 'cursor.tailable': true, appName: /^oplogue/ } },
    ])
    .toArray();
  const ids = cursors.map((cursor): unknown => cursor['cursor']?.cursorId).filter((id) => id !== undefined);
  if (ids.length === 0) return undefined;
  const reply = await client.db('local').command({ killCursors: 'oplog.rs', cursors: ids });
  const killed: unknown[] = reply['cursorsKilled'];
  return killed.length === 0 ? undefined : killed.length;
}
