import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { sleep } from '../../src/shared/sleep.ts';
import { eventually } from '../../testbed/eventually.ts';
import { runCollector, type RunningCollector } from '../../testbed/run-collector.ts';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { startMongo, type TestMongo } from '../../testbed/start-mongo.ts';
import { CollectorJob } from '../support/collector-job.ts';
import { Ledger, readDeliveries } from '../support/ledger.ts';

const WRITES_PER_SECOND = 1500;
/** Longer than every time of the election: another has taken over when the frozen one wakes. */
const FREEZE_MS = 8000;

let mongo: TestMongo;
let kafka: TestKafka;

beforeAll(async () => {
  [mongo, kafka] = await Promise.all([startMongo({ oplogSizeMb: 500 }), startKafka()]);
});

afterAll(async () => {
  await Promise.all([mongo?.stop(), kafka?.[Symbol.asyncDispose]()]);
});

/** Several collectors of one job, of which one works. */
class Quorum {
  readonly job: CollectorJob;
  readonly ledger: Ledger;
  readonly collectors: readonly RunningCollector[];

  constructor(job: CollectorJob, ledger: Ledger, collectors: readonly RunningCollector[]) {
    this.job = job;
    this.ledger = ledger;
    this.collectors = collectors;
  }

  static async start(conf: Readonly<Record<string, string>>): Promise<Quorum> {
    const job = await CollectorJob.start({
      mongoUrl: mongo.url,
      brokers: kafka.brokers,
      partitions: 4,
      startsCollector: false,
    });
    onTestFinished(() => job[Symbol.asyncDispose]());
    const collectors = await Promise.all(
      [1, 2, 3].map(() =>
        runCollector({
          conf: {
            ...job.conf,
            id: job.topic,
            master_quorum: true,
            'incr_sync.worker': 8,
            'incr_sync.shard_key': 'id',
            'tunnel.kafka.partition_number': 4,
            ...conf,
          },
        }),
      ),
    );
    for (const collector of collectors) onTestFinished(() => collector[Symbol.asyncDispose]());
    const ledger = new Ledger({
      url: mongo.url,
      database: job.db.databaseName,
      writesPerSecond: WRITES_PER_SECOND,
    });
    onTestFinished(() => ledger.stop());
    const quorum = new Quorum(job, ledger, collectors);
    await quorum.master();
    await eventually(() => ledger.acknowledged > WRITES_PER_SECOND, { what: 'a steady load' });
    return quorum;
  }

  /** The one that says of itself that it is the master. */
  async master(): Promise<RunningCollector> {
    return eventually(
      async () => {
        for (const collector of this.collectors) {
          if (collector.running && (await roleOf(collector)) === 'master') return collector;
        }
        return undefined;
      },
      { what: 'a master', timeoutMs: 30_000, everyMs: 100 },
    );
  }

  /** Waits until changes of now have been delivered. */
  async flows(): Promise<void> {
    const before = await this.#delivered();
    await eventually(async () => (await this.#delivered()) > before, {
      what: 'deliveries to go on',
      timeoutMs: 30_000,
      everyMs: 100,
    });
  }

  async #delivered(): Promise<number> {
    return (await this.job.records()).length;
  }
}

async function roleOf(collector: RunningCollector): Promise<string> {
  const text = await Promise.race([collector.text('/status').catch(() => ''), sleep(500).then(() => '')]);
  return /"role":"(\w+)"/.exec(text)?.[1] ?? '';
}

describe.each([
  { delivery: 'at_least_once', repeatsMax: Infinity },
  { delivery: 'exactly_once', repeatsMax: 0 },
])('three collectors with master_quorum = true, $delivery', ({ delivery, repeatsMax }) => {
  const conf = { 'tunnel.kafka.delivery': delivery };

  test('lose nothing and keep the order when the master is killed again and again (I1, I2, I5, I8)', async () => {
    const { job, ledger, collectors, ...quorum } = await startQuorum(conf);
    for (let kill = 0; kill < 3; kill++) {
      const master = await quorum.master();
      await sleep(Math.random() * 1000);
      await master.kill();
      const next = await quorum.master();
      expect(next.pid).not.toBe(master.pid);
      await quorum.flows();
      await master.start();
    }
    expect(collectors.filter((collector) => collector.running)).toHaveLength(3);
    await ledger.stop();
    await settled(job);
    const deliveries = await readDeliveries(job);
    expect(ledger.missingIn(deliveries)).toEqual([]);
    expect(deliveries.disorder).toEqual([]);
    expect(deliveries.repeats).toBeLessThanOrEqual(repeatsMax);
  });

  test('a master that stood still stands by when it wakes, and has written nothing meanwhile (I5)', async () => {
    const { job, ledger, ...quorum } = await startQuorum(conf);
    const frozen = await quorum.master();
    frozen.freeze();
    await sleep(FREEZE_MS);
    const next = await quorum.master();
    await quorum.flows();
    frozen.thaw();
    await eventually(async () => (await roleOf(frozen)) === 'standby', {
      what: 'the old master to stand by',
    });
    expect(await roleOf(next)).toBe('master');
    expect(frozen.log).toMatch(/no longer the master/);
    await quorum.flows();
    await ledger.stop();
    await settled(job);
    const deliveries = await readDeliveries(job);
    expect(ledger.missingIn(deliveries)).toEqual([]);
    expect(deliveries.disorder).toEqual([]);
    expect(deliveries.repeats).toBeLessThanOrEqual(repeatsMax);
  });
});

test('a master that ends in order hands over, and nothing comes twice', async () => {
  const { job, ledger, ...quorum } = await startQuorum({});
  const master = await quorum.master();
  expect(await master.stop()).toMatchObject({ code: 0 });
  const next = await quorum.master();
  expect(next.pid).not.toBe(master.pid);
  await ledger.stop();
  await settled(job);
  const deliveries = await readDeliveries(job);
  expect(ledger.missingIn(deliveries)).toEqual([]);
  expect(deliveries.repeats).toBe(0);
});

test('a standby that is elected while the source stands still waits for it', async () => {
  await using store = await startMongo();
  const { collectors, ...quorum } = await startQuorum({ 'checkpoint.storage.url': store.url });
  const master = await quorum.master();
  const [source] = mongo.members;
  source.freeze();
  try {
    await master.kill();
    await eventually(() => collectors.some(({ log }) => /Cannot read the oplog/.test(log)), {
      what: 'a new master to miss the source',
      timeoutMs: 60_000,
    });
  } finally {
    source.thaw();
  }
  await quorum.flows();
  expect(collectors.filter((collector) => collector.running)).toHaveLength(2);
});

test('a standby is healthy and says whom it stands by', async () => {
  const { collectors, ...quorum } = await startQuorum({});
  const master = await quorum.master();
  for (const collector of collectors.filter((one) => one !== master)) {
    const response = await fetch(`http://127.0.0.1:${collector.httpPort}/healthz`);
    expect(response.status).toBe(200);
    expect(await collector.page('/status')).toMatchObject({
      election: {
        role: 'standby',
        master: { pid: master.pid },
        since: expect.stringMatching(/^20\d\d-.*Z$/),
      },
      sources: [{ state: 'standby' }],
    });
    expect(await collector.text('/metrics')).toMatch(/^oplogue_is_master 0$/m);
  }
  expect(await master.text('/metrics')).toMatch(/^oplogue_is_master 1$/m);
});

/** Starts a quorum; its methods are bound, so that they can be taken apart. */
async function startQuorum(conf: Readonly<Record<string, string>>) {
  const quorum = await Quorum.start(conf);
  return {
    job: quorum.job,
    ledger: quorum.ledger,
    collectors: quorum.collectors,
    master: () => quorum.master(),
    flows: () => quorum.flows(),
  };
}

/** Waits until the topic grows no more. */
async function settled(job: CollectorJob): Promise<void> {
  let last = -1;
  await eventually(
    async () => {
      const { length } = await job.records();
      const isSame = length === last;
      last = length;
      return isSame;
    },
    { what: 'the topic to settle', timeoutMs: 60_000, everyMs: 3000 },
  );
}
