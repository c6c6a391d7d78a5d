import { setTimeout as sleep } from 'node:timers/promises';
import type { MongoClient } from 'mongodb';
import { usageOf } from './process-usage.ts';

/** What a collector costs while nothing is written. */
export interface IdleFigures {
  readonly cpuPercent: number;
  /** Of all clients but this one, as the server counts them. */
  readonly commandsPerSecond: number;
  readonly rssBytes: number;
}

/** The second serverStatus is counted in its own answer. */
const OWN_COMMANDS = 1;
/** What was under way must have ended. */
const SETTLE_MS = 3000;

/** Looks at the collector from outside for a while: its CPU in the kernel's books, its commands in mongod's. */
export async function measureIdle(options: {
  client: MongoClient;
  pid: number;
  seconds: number;
}): Promise<IdleFigures> {
  const { client, pid, seconds } = options;
  await sleep(SETTLE_MS);
  const commandsBefore = await commandsOf(client);
  const before = usageOf(pid);
  const startedAtMs = performance.now();
  await sleep(seconds * 1000);
  const after = usageOf(pid);
  const elapsedMs = performance.now() - startedAtMs;
  const commands = (await commandsOf(client)) - commandsBefore - OWN_COMMANDS;
  return {
    cpuPercent: ((after.cpuMs - before.cpuMs) / elapsedMs) * 100,
    commandsPerSecond: commands / (elapsedMs / 1000),
    rssBytes: after.rssBytes,
  };
}

/** Everything that the server has been asked so far: getMore, queries, writes and other commands. */
async function commandsOf(client: MongoClient): Promise<number> {
  const status = await client.db('admin').command({ serverStatus: 1 });
  const counters: Record<string, unknown> = status['opcounters'];
  return ['query', 'getmore', 'command', 'insert', 'update', 'delete'].reduce(
    (sum, name) => sum + Number(counters[name] ?? 0),
    0,
  );
}
