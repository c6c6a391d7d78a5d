import { describe, expect, inject, onTestFinished, test } from 'vitest';
import type { KafkaTunnel } from '../../src/tunnel/kafka/kafka-tunnel.ts';
import type { Frontier } from '../../src/tunnel/tunnel.ts';
import { eventually } from '../../testbed/eventually.ts';
import { readTopic } from '../../testbed/read-topic.ts';
import { connectKafka } from '../../testbed/start-kafka.ts';
import { newExactlyOnceTunnel } from '../support/exactly-once-tunnel.ts';
import { produce } from '../support/kafka-receiver-under-test.ts';
import { newTopicName, type TunnelSettings } from '../support/kafka-tunnel-under-test.ts';
import { makeHeader, readEntry } from '../support/oplog-entry.ts';

const never = new AbortController().signal;
let jobs = 0;

describe.each(['kafka39', 'kafka4'] as const)('exactly once into %s', (server) => {
  const brokers = inject(server);

  /** Tunnels of one job into one topic of its own. */
  function newJob(): {
    topic: string;
    job: string;
    open: (
      settings?: Partial<TunnelSettings & Parameters<typeof newExactlyOnceTunnel>[1]>,
    ) => Promise<KafkaTunnel>;
    numbers: () => Promise<number[]>;
  } {
    jobs++;
    const topic = newTopicName();
    const job = `${server}-${process.pid}-${jobs}`;
    onTestFinished(() => connectKafka(brokers).deleteTopic(topic));
    return {
      topic,
      job,
      async open(settings = {}) {
        const tunnel = newExactlyOnceTunnel(brokers, { topic, job, ...settings });
        onTestFinished(() => tunnel[Symbol.asyncDispose]());
        await tunnel.open(never);
        return tunnel;
      },
      async numbers() {
        const records = await readTopic({ brokers, topic });
        return records.map(({ value }) => readEntry(value ?? Buffer.alloc(0)).number);
      },
    };
  }

  /** Gives entries [from, to) to lane 0 and marks them, unless they are to stay open. */
  async function give(
    tunnel: KafkaTunnel,
    numbers: { from: number; to: number; marks?: boolean },
  ): Promise<void> {
    for (let number = numbers.from; number < numbers.to; number++) {
      await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
    }
    if (numbers.marks === false) {
      tunnel.lane(0).flush(() => undefined);
      return;
    }
    const durable = new Promise<void>((resolve) => {
      tunnel.lane(0).flush(resolve);
    });
    tunnel.frontiers?.mark(frontierAt(numbers.to), { now: true });
    await durable;
  }

  function frontierAt(number: number): Frontier {
    return { resumeAfter: BigInt(number), deliveredThrough: BigInt(number) };
  }

  function failureOf(tunnel: KafkaTunnel): Promise<unknown> {
    return eventually(() => tunnel.failed.reason, { what: 'the tunnel to fail', timeoutMs: 20_000 });
  }

  test('the next run finds the frontier of the last commit, also one in the middle of a transaction', async () => {
    const { open } = newJob();
    const first = await open();
    expect(first.frontiers?.committed).toBeUndefined();
    await give(first, { from: 0, to: 10 });
    const frontier = {
      resumeAfter: 7n,
      deliveredThrough: 9n,
      partial: { at: (5n << 32n) | 12n, operations: 400 },
    };
    await first.lane(0).append(makeHeader({ lane: 0, number: 10 }));
    first.lane(0).flush(() => undefined);
    first.frontiers?.mark(frontier);
    await first.drain(never);
    await first[Symbol.asyncDispose]();
    const second = await open();
    expect(second.frontiers?.committed).toEqual(frontier);
    await second[Symbol.asyncDispose]();
    expect((await open()).frontiers?.committed).toEqual(frontier);
  });

  test('a takeover ends the open transaction of the former owner, who finds out that it is fenced (I5, I8)', async () => {
    const { open, numbers } = newJob();
    const former = await open();
    await give(former, { from: 0, to: 50 });
    await give(former, { from: 50, to: 80, marks: false });
    await eventually(() => former.lane(0).pendingBytes === 0, {
      what: 'the open transaction to reach the broker',
    });
    const next = await open();
    expect(next.frontiers?.committed).toEqual(frontierAt(50));
    await give(next, { from: 50, to: 90 });
    former.lane(0).flush(() => undefined);
    former.frontiers?.mark(frontierAt(80), { now: true });
    expect(await failureOf(former)).toMatchObject({ code: 'KAFKA_FENCED', retry: 'fatal' });
    await give(next, { from: 90, to: 100 });
    const expected = Array.from({ length: 100 }, (_, i) => i);
    await eventually(async () => (await numbers()).length >= 100, { what: 'all entries' });
    expect(await numbers()).toEqual(expected);
    expect(next.failed.aborted).toBe(false);
  });

  test('a transaction that the broker ended because it took too long asks for a new beginning (I8)', async () => {
    const { open, numbers } = newJob();
    const slow = await open({ transactionTimeoutMs: 1000 });
    await give(slow, { from: 0, to: 5 });
    // The broker looks for transactions that are too old every ten seconds.
    const reason = await eventually(
      async () => {
        await give(slow, { from: 5, to: 6, marks: false });
        return slow.failed.reason;
      },
      { what: 'the broker to end the transaction', everyMs: 200 },
    );
    expect(reason).toMatchObject({ code: 'KAFKA_TRANSACTION_LOST', retry: 'restart' });
    await slow[Symbol.asyncDispose]();
    const next = await open();
    expect(next.frontiers?.committed).toEqual(frontierAt(5));
    await give(next, { from: 5, to: 12 });
    await eventually(async () => (await numbers()).length >= 12, { what: 'all entries' });
    expect(await numbers()).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });

  test('a mark may come between a record and the question for its receipt', async () => {
    const { open } = newJob();
    const tunnel = await open();
    for (const waits of [true, false]) {
      await tunnel.lane(0).append(makeHeader({ lane: 0, number: 1 }));
      tunnel.frontiers?.mark(frontierAt(1), { now: true });
      if (waits) await eventually(() => tunnel.lane(0).pendingBytes === 0, { what: 'the record to be sent' });
      const receipt = new Promise<void>((resolve) => {
        tunnel.lane(0).flush(resolve);
      });
      await expect(receipt).resolves.toBeUndefined();
    }
  });

  test("another job's open transaction in the checkpoint topic hides nothing", async () => {
    const other = newJob();
    const mine = newJob();
    const busy = await other.open();
    const first = await mine.open();
    await give(busy, { from: 0, to: 5, marks: false });
    await eventually(() => busy.lane(0).pendingBytes === 0, {
      what: 'the open transaction to reach the broker',
    });
    await give(first, { from: 0, to: 20 });
    await first[Symbol.asyncDispose]();
    expect((await mine.open()).frontiers?.committed).toEqual(frontierAt(20));
  });

  test('a frontier that lies far behind the newest records of other jobs is found', async () => {
    const { open, topic } = newJob();
    const checkpointTopic = `${topic}-checkpoint`;
    onTestFinished(() => connectKafka(brokers).deleteTopic(checkpointTopic));
    const first = await open({ checkpointTopic });
    await give(first, { from: 0, to: 20 });
    await first[Symbol.asyncDispose]();
    const others = Array.from({ length: 5000 }, () => Buffer.from('of another job'));
    await produce(brokers, checkpointTopic, others);
    const next = await open({ checkpointTopic });
    expect(next.frontiers?.committed).toEqual(frontierAt(20));
  });

  test('records say in headers where they come from', async () => {
    const { open, topic } = newJob();
    const tunnel = await open();
    const header = makeHeader({ lane: 0, number: 2_147_483_647 });
    await tunnel.lane(0).append(header);
    const operation = makeHeader({ lane: 0, number: 7 });
    operation.operationIndex = 1_000_000;
    operation.committedIncrement = 4_294_967_295;
    await tunnel.lane(0).append(operation);
    tunnel.lane(0).flush(() => undefined);
    tunnel.frontiers?.mark(frontierAt(1));
    await tunnel.drain(never);
    const records = await eventually(
      async () => {
        const found = await readTopic({ brokers, topic });
        return found.length === 2 ? found : undefined;
      },
      { what: 'both records' },
    );
    const headers = records.map((record) =>
      Object.fromEntries([...record.headers].map(([name, value]) => [name, value.toString()])),
    );
    const common = { 'oplogue.op': 'i', 'oplogue.ns': 'shop.orders' };
    expect(headers).toEqual([
      { 'oplogue.position': '1582277156:2147483647', 'oplogue.index': '0', ...common },
      { 'oplogue.position': '1582277156:4294967295', 'oplogue.index': '1000000', ...common },
    ]);
  });

  test('a raw message says how many entries it has and where the last one comes from', async () => {
    const { open, topic } = newJob();
    const tunnel = await open({ message: 'raw' });
    for (const number of [3, 4, 5]) await tunnel.lane(0).append(makeHeader({ lane: 0, number }));
    tunnel.lane(0).flush(() => undefined);
    tunnel.frontiers?.mark(frontierAt(5));
    await tunnel.drain(never);
    const [record] = await eventually(
      async () => {
        const found = await readTopic({ brokers, topic });
        return found.length === 1 ? found : undefined;
      },
      { what: 'the record' },
    );
    expect([...record.headers].map(([name, value]) => [name, value.toString()])).toEqual([
      ['oplogue.position', '1582277156:5'],
      ['oplogue.count', '3'],
    ]);
  });

  test('fails by name when its checkpoint topic was deleted; nothing counts as done (I3)', async () => {
    const { job, open } = newJob();
    const checkpointTopic = `checkpoints-${job}`;
    const tunnel = await open({ checkpointTopic });
    await give(tunnel, { from: 0, to: 10 });
    await connectKafka(brokers).deleteTopic(checkpointTopic);
    let receipts = 0;
    await tunnel.lane(0).append(makeHeader({ lane: 0, number: 10 }));
    tunnel.lane(0).flush(() => receipts++);
    tunnel.frontiers?.mark(frontierAt(11), { now: true });
    expect(await failureOf(tunnel)).toMatchObject({
      code: 'KAFKA_TOPIC_DELETED',
      message: expect.stringContaining(checkpointTopic),
    });
    expect(receipts).toBe(0);
  });

  test('a checkpoint topic that is not compacted is refused', async () => {
    const { open, topic } = newJob();
    const checkpointTopic = `${topic}-plain`;
    await connectKafka(brokers).createTopic({ topic: checkpointTopic });
    onTestFinished(() => connectKafka(brokers).deleteTopic(checkpointTopic));
    await expect(open({ checkpointTopic })).rejects.toMatchObject({ code: 'KAFKA_CHECKPOINT_TOPIC' });
  });
});
