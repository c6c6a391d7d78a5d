import { Int32, Long, MongoClient, ObjectId, type Collection } from 'mongodb';
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from 'vitest';
import { DatabaseCheckpointStore } from '../../src/checkpoint/database-checkpoint-store.ts';
import { electionIdOf } from '../../src/election/election-document.ts';
import { defaultElectionTiming, Election, type ElectionTiming } from '../../src/election/election.ts';
import type { HeldLease } from '../../src/election/held-lease.ts';
import { connectMongo } from '../../src/mongo/connect-mongo.ts';
import { positionOf } from '../../src/oplog/position.ts';
import { must } from '../../src/shared/assert.ts';
import { silentLogger } from '../../src/shared/logger.ts';
import { sleep } from '../../src/shared/sleep.ts';
import { eventually } from '../../testbed/eventually.ts';
import { startTcpProxy } from '../../testbed/start-tcp-proxy.ts';
import { uniqueName } from '../support/collector-job.ts';

/** Ten times as fast as in earnest. */
const timing = {
  renewEveryMs: 50,
  giveUpAfterMs: 400,
  takeOverAfterMs: 700,
  takeOverFromMongoShakeAfterMs: 1500,
  pollEveryMs: 25,
};
const never = new AbortController().signal;

let client: MongoClient;
let documents: Collection;

beforeAll(() => {
  client = new MongoClient(inject('mongoUrl'), { promoteValues: false });
  documents = client.db('mongoshake').collection('election');
});

afterAll(async () => {
  await client.close();
});

async function newElection(
  jobId: string,
  url = inject('mongoUrl'),
  slower: Partial<ElectionTiming> = {},
): Promise<Election> {
  const connection = await connectMongo({
    url,
    connectMode: 'primary',
    purpose: 'election',
    socketTimeoutMs: 1000,
    serverSelectionTimeoutMs: 1000,
  });
  const election = new Election({
    connection,
    jobId,
    logger: silentLogger,
    timing: { ...timing, ...slower },
  });
  onTestFinished(async () => {
    await election[Symbol.asyncDispose]();
    await documents.deleteOne({ _id: idOf(jobId) });
  });
  return election;
}

function idOf(jobId: string): ObjectId {
  return ObjectId.createFromHexString(electionIdOf(jobId));
}

async function elected(election: Election): Promise<HeldLease> {
  const lease = must(await election.stand(never), 'nobody stopped the election');
  onTestFinished(() => void lease.end());
  return lease;
}

test('the real times leave room between giving up and taking over, and take over within 5 s', () => {
  const { giveUpAfterMs, takeOverAfterMs, pollEveryMs, renewEveryMs } = defaultElectionTiming;
  expect(giveUpAfterMs).toBeLessThan(takeOverAfterMs);
  expect(takeOverAfterMs + renewEveryMs + 2 * pollEveryMs).toBeLessThan(4500);
});

describe('the document', () => {
  test("is MongoShake's, with its _id for its default id, and ours beside its fields", async () => {
    expect(electionIdOf('mongoshake')).toBe('5204af979955496907000001');
    const jobId = uniqueName('election');
    expect(electionIdOf(jobId)).toMatch(/^[0-9a-f]{24}$/);
    await elected(await newElection(jobId));
    const document = await documents.findOne({ _id: idOf(jobId) });
    expect(document?.['pid']).toEqual(new Int32(process.pid));
    expect(document?.['host']).toMatch(/^\d+\.\d+\.\d+\.\d+$|^error$/);
    expect(document?.['heartbeat']).toBeInstanceOf(Long);
    expect(Math.abs(Number(document?.['heartbeat']) - Date.now() / 1000)).toBeLessThan(10);
    expect(document?.['term']).toEqual(Long.ONE);
  });

  test('of another id does not compete', async () => {
    const one = await elected(await newElection(uniqueName('election')));
    const other = await elected(await newElection(uniqueName('election')));
    expect([one.isHeld, other.isHeld]).toEqual([true, true]);
  });
});

describe('one of several', () => {
  test('is the master; another takes over with a higher term when it falls silent, never before it has given up (I5)', async () => {
    const jobId = uniqueName('election');
    const [first, second] = [await newElection(jobId), await newElection(jobId)];
    const lease = await elected(first);
    expect(first.leadership).toMatchObject({ role: 'master', term: 1n });
    const stop = new AbortController();
    const waiting = second.stand(stop.signal);
    await eventually(() => second.leadership.master?.pid === process.pid, { what: 'the follower to know' });
    await sleep(timing.takeOverAfterMs * 2);
    expect(second.leadership.role).toBe('standby');
    expect(lease.isHeld).toBe(true);
    // Silence: its renewals end, as after a kill -9.
    lease.end();
    const next = must(await waiting, 'the follower has taken over');
    onTestFinished(() => void next.end());
    expect(next.term).toBe(2n);
  });

  test('hands over at once when it ends in order', async () => {
    const jobId = uniqueName('election');
    const [first, second] = [await newElection(jobId), await newElection(jobId)];
    const lease = await elected(first);
    const waiting = second.stand(never);
    await eventually(() => second.leadership.master !== undefined, { what: 'the follower to know' });
    await first.release(lease);
    const document = await documents.findOne({ _id: idOf(jobId) });
    expect(document?.['released'] === true || document?.['term'].toString() === '2').toBe(true);
    const next = must(await waiting, 'the follower has taken over');
    expect(next.term).toBe(2n);
    next.end();
  });

  test('that says that it is about to end is looked at more often', async () => {
    const job = uniqueName('election');
    const first = await newElection(job);
    const lease = await elected(first);
    await first.announceEnd(lease);
    const second = await newElection(job, undefined, { pollEveryMs: 600_000, takeOverAfterMs: 600_000 });
    const next = elected(second);
    await sleep(100);
    await first.release(lease);
    expect((await next).term).toBe(lease.term + 1n);
  });

  test('loses its lease when the store cannot be reached, and knows it before another can take over (I5)', async () => {
    const jobId = uniqueName('election');
    const proxy = await startTcpProxy(new URL(inject('mongoUrl').replace('mongodb:', 'http:')).host);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const cutOff = await newElection(jobId, `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`);
    const lease = await elected(cutOff);
    const other = await newElection(jobId);
    const waiting = other.stand(never);
    await eventually(() => other.leadership.master !== undefined, { what: 'the follower to know' });
    let heldAtTakeover: boolean | undefined;
    const taken = waiting.then((next) => {
      heldAtTakeover = lease.isHeld;
      return next;
    });
    proxy.stall();
    const next = must(await taken, 'the other has taken over');
    next.end();
    expect(heldAtTakeover).toBe(false);
    expect(lease.lost.aborted).toBe(true);
    expect(lease.lost.reason).toMatchObject({ code: 'ELECTION_LEASE_LOST' });
  });

  test('wins back what nobody has taken meanwhile, without waiting for itself to fall silent', async () => {
    const proxy = await startTcpProxy(new URL(inject('mongoUrl').replace('mongodb:', 'http:')).host);
    onTestFinished(() => proxy[Symbol.asyncDispose]());
    const url = `mongodb://127.0.0.1:${proxy.port}/?directConnection=true`;
    const election = await newElection(uniqueName('election'), url, { takeOverAfterMs: 600_000 });
    const lease = await elected(election);
    proxy.cut();
    await eventually(() => lease.lost.aborted, { what: 'the lease to be lost' });
    const again = elected(election);
    proxy.resume();
    expect((await again).term).toBe(2n);
    expect(lease.isHeld).toBe(false);
  });

  test('a process that stood still knows at its first look that it may not write (I5)', async () => {
    const lease = await elected(await newElection(uniqueName('election')));
    const until = performance.now() + timing.giveUpAfterMs + 50;
    // Nothing else of this process runs meanwhile, as in a freeze: no timer has told it.
    while (performance.now() < until);
    expect(lease.lost.aborted).toBe(false);
    expect(lease.isHeld).toBe(false);
    expect(lease.lost.aborted).toBe(true);
  });
});

describe("MongoShake's own collectors in the same election", () => {
  const document = (heartbeat: number) => ({
    pid: new Int32(4242),
    host: '10.1.2.3',
    heartbeat: Long.fromNumber(heartbeat),
  });

  test('a dead one is followed by us', async () => {
    const jobId = uniqueName('election');
    await documents.insertOne({ _id: idOf(jobId), ...document(1_700_000_000) });
    const lease = await elected(await newElection(jobId));
    expect(lease.term).toBe(1n);
  });

  test('a living one is refused by name', async () => {
    const jobId = uniqueName('election');
    await documents.insertOne({ _id: idOf(jobId), ...document(1_700_000_000) });
    let beat = 1_700_000_000;
    const alive = setInterval(() => {
      beat++;
      documents.updateOne({ _id: idOf(jobId) }, { $set: document(beat) }).catch(() => undefined);
    }, 200);
    onTestFinished(() => clearInterval(alive));
    const election = await newElection(jobId);
    await expect(election.stand(never)).rejects.toMatchObject({ code: 'ELECTION_MONGOSHAKE_MASTER' });
  });
});

describe('checkpoints', () => {
  const database = 'election_checkpoints';

  async function storeOf(term: bigint): Promise<DatabaseCheckpointStore> {
    const connection = await connectMongo({
      url: inject('mongoUrl'),
      connectMode: 'primary',
      purpose: 'checkpoint',
    });
    const store = new DatabaseCheckpointStore({ connection, database, collection: 'c', term });
    onTestFinished(() => store[Symbol.asyncDispose]());
    return store;
  }

  const at = (name: string, seconds: number) => ({
    name,
    position: positionOf(seconds, 1),
    fetchMethod: 'oplog',
    diskQueue: '',
  });

  test('of an earlier term are refused as soon as a later one has claimed, even where there was none yet (I5)', async () => {
    const name = uniqueName('rs');
    const [old, later] = [await storeOf(1n), await storeOf(2n)];
    await old.claim(name);
    expect(await old.load(name)).toBeUndefined();
    await later.claim(name);
    await expect(old.save(at(name, 100))).rejects.toMatchObject({ code: 'CHECKPOINT_STALE_TERM' });
    await later.save(at(name, 50));
    expect(await later.load(name)).toEqual(at(name, 50));
    await expect(old.save(at(name, 200))).rejects.toMatchObject({ code: 'CHECKPOINT_STALE_TERM' });
    await expect(old.claim(name)).rejects.toMatchObject({ code: 'CHECKPOINT_STALE_TERM' });
    expect(await later.load(name)).toEqual(at(name, 50));
    await later.save(at(name, 60));
    expect(await later.load(name)).toEqual(at(name, 60));
    await client.db(database).dropDatabase();
  });
});
