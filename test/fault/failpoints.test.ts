import { expect, onTestFinished, test } from 'vitest';
import { FAILPOINTS } from '../../src/shared/failpoint.ts';
import { DeliveryChecker } from './suite/delivery-checker.ts';
import { FaultLoad } from './suite/fault-load.ts';
import { DATABASE, startFaultStage, TOPIC, type Delivery } from './suite/fault-stage.ts';
import { masterOf, startAgain } from './suite/strike-fault.ts';
import { TopicWatcher } from './suite/topic-watcher.ts';
import { eventually } from '../../testbed/eventually.ts';

const TIMEOUT_MS = 300_000;
const WRITES_PER_SECOND = 300;
/** Passed only when transactions are used. */
const ofTransactions: readonly string[] = [
  'before-commit',
  'after-commit-before-receipt',
  'in-kafka-takeover',
];

function struck(delivery: Delivery): readonly string[] {
  return FAILPOINTS.filter((name) => delivery === 'exactly_once' || !ofTransactions.includes(name));
}

test.each(['at_least_once', 'exactly_once'] as const)(
  'killed at every failpoint it loses nothing and keeps the order; with exactly_once nothing comes twice (I1, I2, I8): %s',
  { timeout: TIMEOUT_MS },
  async (delivery) => {
    const stage = await startFaultStage({ members: 1, delivery, collectors: 2, message: 'bson', threads: 1 });
    onTestFinished(() => stage[Symbol.asyncDispose]());
    const checker = new DeliveryChecker();
    const { url } = stage.mongo;
    const load = new FaultLoad({ url, database: DATABASE, checker, writesPerSecond: WRITES_PER_SECOND });
    onTestFinished(() => load.stop());
    const { brokers } = stage.kafka;
    const watcher = new TopicWatcher({ brokers, topic: TOPIC, message: 'bson', checker });
    onTestFinished(() => watcher.stop());
    for (const name of struck(delivery)) {
      // All others stand still, so that the one with the failpoint is elected.
      await Promise.all(stage.collectors.map((collector) => collector.kill()));
      const doomed = await stage.runExtraCollector({ OPLOGUE_FAILPOINT: `${name}:kill` });
      await eventually(() => !doomed.running, { what: `failpoint ${name}`, timeoutMs: 60_000 });
      expect({ name, ...(await doomed.ended) }).toMatchObject({ name, signal: 'SIGKILL' });
      await Promise.all(stage.collectors.map((collector) => startAgain(collector)));
      await masterOf(stage);
      const probe = await load.probe(AbortSignal.timeout(60_000));
      await eventually(() => watcher.hasCome(probe), { what: `a write after ${name}`, timeoutMs: 60_000 });
    }
    await load.stop();
    await eventually(() => checker.isComplete, { what: 'all writes', timeoutMs: 60_000, everyMs: 200 });
    const { lost, outOfOrder, unwanted, duplicated } = checker.report();
    const repeats = delivery === 'exactly_once' ? duplicated : 0;
    const faults = { lost, outOfOrder, unwanted, repeats };
    expect(faults).toEqual({ lost: 0, outOfOrder: 0, unwanted: 0, repeats: 0 });
  },
);
