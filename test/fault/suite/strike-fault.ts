import { setTimeout as pause } from 'node:timers/promises';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MongoClient } from 'mongodb';
import { FAILPOINTS } from '../../../src/shared/failpoint.ts';
import { eventually } from '../../../testbed/eventually.ts';
import type { RunningCollector } from '../../../testbed/run-collector.ts';
import type { TestMongoMember } from '../../../testbed/start-mongo.ts';
import type { TcpProxy } from '../../../testbed/start-tcp-proxy.ts';
import type { DeliveryChecker } from './delivery-checker.ts';
import type { FaultKind, PlannedFault } from './fault-plan.ts';
import { LOAD_COLLECTION } from './fault-load.ts';
import { DATABASE, type FaultStage } from './fault-stage.ts';

export interface FaultContext {
  readonly stage: FaultStage;
  readonly checker: DeliveryChecker;
}

/** Does the harm and undoes it. @returns words about it for the log */
type Strike = (fault: PlannedFault, context: FaultContext) => Promise<string>;

const run = promisify(execFile);
const ROLLED_BACK_WRITES = 20;
const FAILPOINT_WAIT_MS = 8_000;
const DISK_FULL_BYTES = 4096;

/** The collector that does the work, or the one that there is. */
export async function masterOf({ collectors }: FaultStage): Promise<RunningCollector> {
  return eventually(
    async () => {
      for (const collector of collectors) {
        if (!collector.running) continue;
        if (collectors.length === 1 || (await isMaster(collector))) return collector;
      }
      return undefined;
    },
    { what: 'a master', timeoutMs: 60_000, everyMs: 100 },
  );
}

/** Starts a collector as a supervisor does: again and again, while what it needs is away. */
export async function startAgain(collector: RunningCollector): Promise<void> {
  await eventually(() => collector.start().then(() => true), {
    what: 'a collector to start again',
    timeoutMs: 120_000,
    everyMs: 500,
  });
}

async function isMaster(collector: RunningCollector): Promise<boolean> {
  const page = collector.text('/metrics').catch(() => '');
  const text = await Promise.race([page, pause(500, '', { ref: false })]);
  return /^oplogue_is_master 1$/m.test(text);
}

function memberFor({ mongo }: FaultStage, choice: number): TestMongoMember {
  const member = mongo.members[Math.floor(choice * mongo.members.length)];
  if (member === undefined) throw new Error('The source has no member');
  return member;
}

async function breakProxy(
  proxy: TcpProxy | undefined,
  how: 'cut' | 'stall',
  durationMs: number,
): Promise<string> {
  proxy?.[how]();
  await pause(durationMs);
  proxy?.resume();
  return '';
}

interface Freezable {
  freeze(): void;
  thaw(): void;
}

async function freeze(process: Freezable, durationMs: number): Promise<string> {
  process.freeze();
  await pause(durationMs);
  process.thaw();
  return '';
}

async function strikeFailpoint(fault: PlannedFault, { stage }: FaultContext): Promise<string> {
  const name = FAILPOINTS[Math.floor(fault.choice * FAILPOINTS.length)];
  const master = await masterOf(stage);
  await master.kill();
  const extra = await stage.runExtraCollector({ OPLOGUE_FAILPOINT: `${name}:kill@2` });
  const end = await Promise.race([extra.ended, pause(FAILPOINT_WAIT_MS, undefined, { ref: false })]);
  await extra.kill();
  await startAgain(master);
  return `${name}, ${end === undefined ? 'not passed' : 'struck'}`;
}

/** A broker that cannot write any more stops; it comes back with room. */
async function fillDisk({ durationMs }: PlannedFault, { stage }: FaultContext): Promise<string> {
  await run('prlimit', ['--pid', String(stage.kafka.pid), `--fsize=${DISK_FULL_BYTES}`]);
  await pause(durationMs);
  await stage.kafka.kill();
  await stage.kafka.start();
  return '';
}

/** Lets the primary take writes that nobody copies, and kills it: the others elect another, and the writes are rolled back. */
async function rollBack(_fault: PlannedFault, { stage, checker }: FaultContext): Promise<string> {
  const { mongo } = stage;
  const primary = await mongo.primary();
  const others = mongo.members.filter((member) => member !== primary);
  await Promise.all(others.map((member) => member.kill()));
  const ids = Array.from(
    { length: ROLLED_BACK_WRITES },
    (_, i) => `rolled-${primary.pid}-${Date.now()}-${i}#1`,
  );
  const client = new MongoClient(`mongodb://${primary.host}/?directConnection=true`, {
    retryWrites: false,
    serverSelectionTimeoutMS: 1000,
    socketTimeoutMS: 2000,
  });
  try {
    const documents = ids.map((_id) => ({ _id, n: 0 }));
    const collection = client.db(DATABASE).collection<{ _id: string; n: number }>(LOAD_COLLECTION);
    await collection.insertMany(documents, { writeConcern: { w: 1 } });
    // The collector, which reads what is in the oplog, has time to make a mistake.
    await pause(300);
  } catch {
    return 'the primary had stepped down already';
  } finally {
    await primary.kill();
    await client.close();
  }
  await Promise.all(others.map((member) => member.start()));
  await mongo.primary();
  await primary.start();
  const kept = await keptOf(mongo.url, ids);
  for (const id of ids) if (!kept.has(id)) checker.refused(id, 0);
  return `${ids.length - kept.size} writes rolled back`;
}

async function keptOf(url: string, ids: readonly string[]): Promise<Set<string>> {
  const client = new MongoClient(url, { readConcern: { level: 'majority' } });
  try {
    const collection = client.db(DATABASE).collection<{ _id: string }>(LOAD_COLLECTION);
    const found = await collection.find({ _id: { $in: [...ids] } }).toArray();
    return new Set(found.map(({ _id }) => _id));
  } finally {
    await client.close();
  }
}

const strikes: Readonly<Record<FaultKind, Strike>> = {
  'collector-kill': async (_, { stage }) => {
    const master = await masterOf(stage);
    await master.kill();
    await startAgain(master);
    return '';
  },
  'collector-freeze': async ({ durationMs }, { stage }) => freeze(await masterOf(stage), durationMs),
  'collector-stop': async (_, { stage }) => {
    const master = await masterOf(stage);
    const { code, signal } = await master.kill('SIGTERM');
    await startAgain(master);
    return `ended with ${code ?? signal}`;
  },
  'collector-clock-jump': async ({ durationMs }, { stage }) => {
    const master = await masterOf(stage);
    for (let jump = 0; jump < 3; jump++) {
      process.kill(master.pid, 'SIGUSR2');
      await pause(durationMs / 3);
    }
    return '';
  },
  'collector-failpoint': strikeFailpoint,
  'broker-kill': async ({ durationMs }, { stage: { kafka } }) => {
    await kafka.kill();
    await pause(durationMs);
    await kafka.start();
    return '';
  },
  'broker-restart': async (_, { stage: { kafka } }) => {
    await kafka.stop();
    await kafka.start();
    return '';
  },
  'broker-freeze': ({ durationMs }, { stage }) => freeze(stage.kafka, durationMs),
  'broker-disk-full': fillDisk,
  'kafka-cut': ({ durationMs }, { stage }) => breakProxy(stage.kafkaProxy, 'cut', durationMs),
  'kafka-half-open': ({ durationMs }, { stage }) => breakProxy(stage.kafkaProxy, 'stall', durationMs),
  'store-cut': ({ durationMs }, { stage }) => breakProxy(stage.storeProxy, 'cut', durationMs),
  'store-half-open': ({ durationMs }, { stage }) => breakProxy(stage.storeProxy, 'stall', durationMs),
  'store-kill': async ({ durationMs }, { stage }) => {
    const [member] = stage.store.members;
    await member?.kill();
    await pause(durationMs);
    await member?.start();
    await stage.store.primary();
    return '';
  },
  'mongod-kill': async ({ choice, durationMs }, { stage }) => {
    const member = memberFor(stage, choice);
    await member.kill();
    await pause(durationMs);
    await member.start();
    await stage.mongo.primary();
    return '';
  },
  'mongod-freeze': ({ choice, durationMs }, { stage }) => freeze(memberFor(stage, choice), durationMs),
  'source-cut': ({ durationMs }, { stage }) => breakProxy(stage.sourceProxy, 'cut', durationMs),
  'source-half-open': ({ durationMs }, { stage }) => breakProxy(stage.sourceProxy, 'stall', durationMs),
  'step-down': async (_, { stage }) => {
    await stage.mongo.stepDown(3);
    return '';
  },
  rollback: rollBack,
};

/** Does the harm of a planned fault and undoes it again. @returns words about it for the log */
export async function strikeFault(fault: PlannedFault, context: FaultContext): Promise<string> {
  if (!fault.killsCollector) return strikes[fault.kind](fault, context);
  const [words] = await Promise.all([
    strikes[fault.kind](fault, context),
    killCollectorIn(fault.durationMs / 2, context.stage),
  ]);
  return `${words} and a collector killed`;
}

async function killCollectorIn(delayMs: number, stage: FaultStage): Promise<void> {
  const master = await masterOf(stage);
  await pause(delayMs);
  await master.kill();
  await startAgain(master);
}
