import { readFileSync } from 'node:fs';
import { deserialize, serialize } from 'bson';
import { afterEach, describe, expect, inject, onTestFinished, test } from 'vitest';
import { decodeRawMessage } from '../../src/message/decode-raw-message.ts';
import { MemoryBudget } from '../../src/shared/memory-budget.ts';
import { eventually } from '../../testbed/eventually.ts';
import { connectKafka } from '../../testbed/start-kafka.ts';
import {
  arrived,
  committedOffsets,
  newGroupName,
  numbers,
  opened,
  produce,
  withAdmin,
} from '../support/kafka-receiver-under-test.ts';
import { newKafkaTunnel, newTopicName } from '../support/kafka-tunnel-under-test.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { MessageRecorder } from '../support/message-recorder.ts';
import { makeHeader, readEntry } from '../support/oplog-entry.ts';
import { runKafkaTool } from '../support/run-kafka-tool.ts';

const never = new AbortController().signal;

const vectors: { three_logs: Record<string, string[]> } = JSON.parse(
  readFileSync('test/vectors/kafka-prefixes.json', 'utf8'),
);

describe.each(['kafka39', 'kafka4'] as const)('a receiver of %s', (version) => {
  const brokers = inject(version);
  const kafka = connectKafka(brokers);
  const used = new Set<string>();

  afterEach(async () => {
    const existing = await kafka.listTopics();
    for (const topic of used) if (existing.includes(topic)) await kafka.deleteTopic(topic);
    used.clear();
  });

  async function newTopic(partitions = 1): Promise<string> {
    const topic = newTopicName();
    used.add(topic);
    await kafka.createTopic({ topic, partitions });
    return topic;
  }

  test('begins at the oldest record, and says of each what it is, where it lies, and from which shard', async () => {
    const topic = await newTopic(2);
    const raw = Buffer.from(vectors.three_logs['none']?.[2] ?? '', 'hex');
    const bson = Buffer.from(serialize({ a: 1 }));
    await produce(brokers, topic, [raw, null, bson, '{"a":1}', 'short'], { partition: 1 });
    const recorder = new MessageRecorder();
    const receiver = await opened(brokers, { topic }, recorder);
    await arrived(recorder, 4, receiver);
    expect(
      recorder.messages.map((message) => ({ ...message, onDone: undefined, withdrawn: undefined })),
    ).toEqual([
      { shard: 2, tag: 0x1000, form: 'raw', bytes: raw, from: `${topic}-1@0` },
      { shard: 1, tag: 0, form: 'bson', bytes: bson, from: `${topic}-1@2` },
      { shard: 1, tag: 0, form: 'json', bytes: Buffer.from('{"a":1}'), from: `${topic}-1@3` },
      { shard: 1, tag: 0, form: 'raw', bytes: Buffer.from('short'), from: `${topic}-1@4` },
    ]);
    expect(receiver.traffic).toMatchObject({
      bytes: raw.length + bson.length + 7 + 5,
      messages: 4,
      refused: 0,
    });
    expect(receiver.traffic.connections).toBeGreaterThan(0);
    expect(receiver.trouble).toBeUndefined();
  });

  test('goes on after a restart where it has committed, and not before (I3)', async () => {
    const topic = await newTopic();
    const groupId = newGroupName();
    await produce(brokers, topic, numbers(0, 10));
    const first = new MessageRecorder();
    first.doneAtOnce = false;
    const receiver = await opened(brokers, { topic, groupId }, first);
    await arrived(first, 10, receiver);
    for (const at of [0, 1, 2, 4, 9]) first.messages[at]?.onDone?.();
    await receiver[Symbol.asyncDispose]();
    expect(await committedOffsets(brokers, groupId)).toEqual({ 0: 3 });

    await produce(brokers, topic, numbers(10, 12));
    const second = new MessageRecorder();
    await arrived(second, 9, await opened(brokers, { topic, groupId }, second));
    expect(second.texts).toEqual(numbers(3, 12));
  });

  test('commits nothing before a message is done, and then without being closed (I3)', async () => {
    const topic = await newTopic();
    const groupId = newGroupName();
    await produce(brokers, topic, numbers(0, 3));
    const recorder = new MessageRecorder();
    recorder.doneAtOnce = false;
    const receiver = await opened(brokers, { topic, groupId }, recorder);
    await arrived(recorder, 3, receiver);
    recorder.messages[1]?.onDone?.();
    recorder.messages[2]?.onDone?.();
    // The heartbeats of two seconds: a commit would have gone with them.
    await new Promise((resolve) => {
      setTimeout(resolve, 2500);
    });
    expect(await committedOffsets(brokers, groupId)).toEqual({});
    recorder.messages[0]?.onDone?.();
    await eventually(async () => (await committedOffsets(brokers, groupId))[0] === 3, { what: 'the commit' });
  });

  test('hands nothing over while the handler has not taken the message before', async () => {
    const topic = await newTopic();
    await produce(brokers, topic, numbers(0, 5));
    const recorder = new MessageRecorder();
    let taking = 0;
    let mostAtOnce = 0;
    let mayTake: (() => void) | undefined;
    recorder.onHandle = async () => {
      taking += 1;
      mostAtOnce = Math.max(mostAtOnce, taking);
      await new Promise<void>((resolve) => {
        mayTake = resolve;
      });
      taking -= 1;
    };
    await opened(brokers, { topic }, recorder);
    for (let count = 1; count <= 5; count++) {
      await eventually(() => taking === 1 && mayTake !== undefined, { what: `message ${count}`, everyMs: 5 });
      mayTake?.();
      mayTake = undefined;
      await arrived(recorder, count);
    }
    expect(mostAtOnce).toBe(1);
    expect(recorder.texts).toEqual(numbers(0, 5));
  });

  test.each(['none', 'gzip'] as const)(
    'what is fetched, packed with %s, and not handed over is counted, and nothing is fetched while the budget is full (I4)',
    async (compression) => {
      const topic = await newTopic(3);
      const value = `{"text":"${'x'.repeat(100_000)}"}`;
      const tunnel = newKafkaTunnel(brokers, { topic, compression });
      await using _tunnel = tunnel;
      await tunnel.open(never);
      for (let number = 0; number < 90; number++) {
        await tunnel
          .lane(number % 3)
          .append(makeHeader({ lane: number % 3, number, padBytes: value.length }));
      }
      for (let lane = 0; lane < 3; lane++) tunnel.lane(lane).flush(() => {});
      await tunnel.drain(never);
      const limitBytes = 1_000_000;
      const budget = new MemoryBudget(limitBytes);
      const recorder = new MessageRecorder();
      let open = (): void => {};
      const gate = new Promise<void>((resolve) => {
        open = resolve;
      });
      recorder.onHandle = () => gate;
      const receiver = await opened(brokers, { topic, budget }, recorder);
      await eventually(() => budget.usedBytes > limitBytes / 2, { what: 'something fetched' });
      // One batch comes whole, and up to three partitions see the same room.
      expect(budget.peakBytes).toBeLessThan(limitBytes * 6);
      open();
      await arrived(recorder, 90, receiver);
      await eventually(() => budget.usedBytes === 0, { what: 'all given back' });
    },
  );

  test('a message that the handler throws at is given to it again', async () => {
    const topic = await newTopic();
    await produce(brokers, topic, numbers(0, 3));
    const recorder = new MessageRecorder();
    let throwsLeft = 2;
    recorder.onHandle = ({ from }) => {
      if (from.endsWith('@1') && throwsLeft-- > 0) throw new Error('no room now');
    };
    await arrived(recorder, 3, await opened(brokers, { topic }, recorder));
    expect(recorder.texts).toEqual(numbers(0, 3));
  });

  test('two receivers of a group share four partitions, and one takes over from the other: nothing is missing', async () => {
    const topic = await newTopic(4);
    const groupId = newGroupName();
    const first = new MessageRecorder();
    const second = new MessageRecorder();
    const a = await opened(brokers, { topic, groupId }, first);
    const b = await opened(brokers, { topic, groupId }, second);
    const partitionsOf = ({ messages }: MessageRecorder): Set<number> =>
      new Set(messages.map(({ shard }) => shard));
    let written = 0;
    const write = async (): Promise<void> => {
      for (let partition = 0; partition < 4; partition++) {
        await produce(brokers, topic, numbers(written, written + 5), { partition });
        written += 5;
      }
    };
    await eventually(
      async () => {
        first.messages.length = second.messages.length = written = 0;
        await write();
        await eventually(() => first.messages.length + second.messages.length >= 20, { what: 'all of them' });
        return partitionsOf(first).size === 2 && partitionsOf(second).size === 2;
      },
      { what: 'two partitions for each', detail: () => `${a.trouble} ${b.trouble}` },
    );
    await a[Symbol.asyncDispose]();
    first.messages.length = second.messages.length = written = 0;
    await write();
    await arrived(second, 20, b);
    expect(second.texts.toSorted()).toEqual(numbers(0, 20).toSorted());
    expect(first.messages).toEqual([]);
  });

  test('a rebalance gives no message twice whose partition stays where it is', async () => {
    const topic = await newTopic(2);
    const groupId = newGroupName();
    for (const partition of [0, 1]) await produce(brokers, topic, numbers(0, 5), { partition });
    const first = new MessageRecorder();
    first.doneAtOnce = false;
    const receiver = await opened(brokers, { topic, groupId }, first);
    await arrived(first, 10, receiver);
    const second = new MessageRecorder();
    await opened(brokers, { topic, groupId }, second);
    // What the first one has in hand and not done comes to the second one for its partition, and stays for the other.
    await arrived(second, 5);
    const [taken] = new Set(second.messages.map(({ shard }) => shard));
    const kept = taken === 0 ? 1 : 0;
    await produce(brokers, topic, numbers(5, 8), { partition: kept });
    await arrived(first, 13, receiver);
    const ofKept = first.messages.filter(({ shard }) => shard === kept);
    expect(ofKept.map(({ bytes }) => bytes.toString())).toEqual(numbers(0, 8));
    for (const { onDone } of first.messages) onDone?.();
    await eventually(async () => (await committedOffsets(brokers, groupId))[kept] === 8, {
      what: 'the commit of what was handed over before the rebalance',
    });
    expect(second.texts).toEqual(numbers(0, 5));
  });

  test('reads on when partitions are added to the topic', async () => {
    const topic = await newTopic(1);
    const recorder = new MessageRecorder();
    const groupId = newGroupName();
    const receiver = await opened(brokers, { topic, groupId }, recorder);
    await produce(brokers, topic, numbers(0, 1));
    await arrived(recorder, 1, receiver);
    await withAdmin(brokers, (admin) =>
      admin.createPartitions({ topics: [{ name: topic, count: 3, assignments: null }] }),
    );
    await eventually(() => produce(brokers, topic, numbers(1, 2), { partition: 2 }).then(() => true), {
      what: 'the new partition',
    });
    await arrived(recorder, 2, receiver);
    expect(recorder.texts).toEqual(numbers(0, 2));
  });

  test('aborted transactions are not seen, nor the markers of any (I8)', async () => {
    const topic = await newTopic();
    const groupId = newGroupName();
    await produce(brokers, topic, numbers(0, 2), { transaction: 'commit' });
    await produce(brokers, topic, ['{"aborted":1}', '{"aborted":2}'], { transaction: 'abort' });
    await produce(brokers, topic, numbers(2, 3));
    await produce(brokers, topic, ['{"aborted":3}'], { transaction: 'abort' });
    await produce(brokers, topic, numbers(3, 5), { transaction: 'commit' });
    const recorder = new MessageRecorder();
    const receiver = await opened(brokers, { topic, groupId }, recorder);
    await arrived(recorder, 5, receiver);
    expect(recorder.texts).toEqual(numbers(0, 5));
    // Five messages, three aborted, four markers: markers count as done too.
    await eventually(async () => (await committedOffsets(brokers, groupId))[0] === 12, {
      what: 'the commit behind the last marker',
    });
  });

  test.each(['none', 'gzip'])(
    'of what a MongoShake collector writes, with compressor %s, each batch comes once',
    async (compressor) => {
      const topic = await newTopic();
      const logger = new MemoryLogger();
      const prefixes = (vectors.three_logs[compressor] ?? []).map((hex) => Buffer.from(hex, 'hex'));
      const lost = Buffer.from(prefixes[0] ?? []);
      lost.writeUInt32BE(77, 0);
      await produce(brokers, topic, [...prefixes, lost, ...prefixes]);
      const recorder = new MessageRecorder();
      const groupId = newGroupName();
      const receiver = await opened(brokers, { topic, groupId, logger }, recorder);
      await arrived(recorder, 2, receiver);
      const logs = recorder.messages.map(({ bytes }) => decodeRawMessage(bytes).logs);
      const ops = logs.map((batch) => batch.map((log) => deserialize(log)['op']));
      expect(ops).toEqual([
        ['i', 'u', 'd'],
        ['i', 'u', 'd'],
      ]);
      expect(receiver.traffic).toMatchObject({ messages: 2, refused: 1 });
      expect(logger.lines.filter((line) => line.includes('ends before its logs do'))).toHaveLength(1);
      await eventually(async () => (await committedOffsets(brokers, groupId))[0] === 7, {
        what: 'the commit',
      });
    },
  );

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'reads what a Java producer and our own tunnel pack with %s',
    async (compression) => {
      const topic = await newTopic();
      const lines = Array.from(
        { length: 3000 },
        (_, n) => `{"n":${n},"text":"${'oplogue '.repeat(n % 60)}"}`,
      );
      const args = ['--bootstrap-server', brokers, '--topic', topic, '--compression-codec', compression];
      await runKafkaTool('kafka.tools.ConsoleProducer', [...args, '--batch-size', '500'], lines.join('\n'));
      const recorder = new MessageRecorder();
      const receiver = await opened(brokers, { topic }, recorder);
      await arrived(recorder, lines.length, receiver);
      expect(recorder.texts).toEqual(lines);

      const tunnel = newKafkaTunnel(brokers, { topic, compression, batchBytes: 20_000 });
      onTestFinished(() => tunnel[Symbol.asyncDispose]());
      await tunnel.open(never);
      for (let number = 0; number < 500; number++) {
        await tunnel.lane(0).append(makeHeader({ lane: 0, number, padBytes: number }));
      }
      tunnel.lane(0).flush(() => {});
      await tunnel.drain(never);
      await arrived(recorder, lines.length + 500, receiver);
      const entries = recorder.messages.slice(lines.length).map(({ bytes }) => readEntry(bytes).number);
      expect(entries).toEqual(Array.from({ length: 500 }, (_, number) => number));
    },
  );

  test('a record that is far above what is fetched at once comes whole', async () => {
    const topic = newTopicName();
    used.add(topic);
    await kafka.createTopic({ topic, config: { 'max.message.bytes': '20000000' } });
    const large = `{"text":"${'x'.repeat(12_000_000)}"}`;
    await produce(brokers, topic, ['{}', large, '{}']);
    const recorder = new MessageRecorder();
    await arrived(recorder, 3, await opened(brokers, { topic }, recorder));
    expect(recorder.texts[1] === large).toBe(true);
  });

  test('a committed offset that is gone is said loudly, and reading goes on at the oldest (I7)', async () => {
    const topic = await newTopic();
    const groupId = newGroupName();
    await produce(brokers, topic, numbers(0, 2));
    const first = new MessageRecorder();
    const receiver = await opened(brokers, { topic, groupId }, first);
    await arrived(first, 2, receiver);
    await receiver[Symbol.asyncDispose]();
    await produce(brokers, topic, numbers(2, 10));
    await withAdmin(brokers, (admin) =>
      admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition: 0, offset: 7n }] }] }),
    );
    const logger = new MemoryLogger();
    const second = new MessageRecorder();
    second.doneAtOnce = false;
    const again = await opened(brokers, { topic, groupId, logger }, second);
    await arrived(second, 3, again);
    expect(second.texts).toEqual(numbers(7, 10));
    const said = `Partition 0 of topic ${topic} has nothing at offset 2, which comes next: the 5 offsets before 7 are gone (retention), unread; reading goes on at the oldest, 7`;
    expect(again.trouble).toBe(said);
    expect(logger.lines.filter((line) => line.startsWith('warn') && line.includes(said))).toHaveLength(1);
    for (const { onDone } of second.messages) onDone?.();
    expect(again.trouble).toBeUndefined();
  });

  test('waits for a topic that does not exist yet, and says so', async () => {
    const topic = newTopicName();
    used.add(topic);
    const recorder = new MessageRecorder();
    const receiver = await opened(brokers, { topic }, recorder);
    await eventually(() => receiver.trouble === `Topic ${topic} does not exist yet`, {
      what: 'the trouble',
      detail: () => String(receiver.trouble),
    });
    await kafka.createTopic({ topic });
    await produce(brokers, topic, numbers(0, 3));
    await arrived(recorder, 3, receiver);
    expect(receiver.trouble).toBeUndefined();
  });

  test('ends while the handler does not take a message, and leaves the group', async () => {
    const topic = await newTopic();
    const groupId = newGroupName();
    await produce(brokers, topic, numbers(0, 3));
    const recorder = new MessageRecorder();
    let given = 0;
    recorder.onHandle = ({ from }) => {
      given += 1;
      return from.endsWith('@1') ? new Promise(() => {}) : undefined;
    };
    const receiver = await opened(brokers, { topic, groupId }, recorder);
    await eventually(() => given === 2, { what: 'the second message' });
    await receiver[Symbol.asyncDispose]();
    expect(await committedOffsets(brokers, groupId)).toEqual({ 0: 1 });
    const group = await withAdmin(brokers, (admin) => admin.describeGroups({ groups: [groupId] }));
    expect(group.get(groupId)?.members.size).toBe(0);
  });
});
